//! What stands for a piece of news between agent and broker: the same news has the same tag, from every replica.

use alter_policy::hex::hex;
use alter_protocol::broker::News;
use sha2::{Digest, Sha256};

const SESSION: &str = "s-";
const REFUSED: &str = "r-";
const WAITING: &str = "w-";

/// The tag of `news`. Tells nothing of a session's secrets: it is made from its access key id.
pub(crate) fn of(news: &News) -> String {
    let (kind, parts) = match news {
        News::Session(issued) => (
            SESSION,
            [
                issued.session.access_key_id.clone(),
                issued.document.to_json(),
            ],
        ),
        News::Refused(why) => (REFUSED, [why.reason.clone(), why.message.clone()]),
        News::Waiting(why) => (WAITING, [why.reason.clone(), why.message.clone()]),
    };
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    format!("{kind}{}", hex(&hash.finalize()[..12]))
}

/// Whether what the agent knows is a session.
pub(crate) fn is_session(known: Option<&str>) -> bool {
    known.is_some_and(|tag| tag.starts_with(SESSION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_protocol::Revocation;

    #[test]
    fn news_of_each_kind_have_their_own() {
        let why = |message: &str| Revocation {
            reason: "Suspended".to_owned(),
            message: message.to_owned(),
        };
        let tags = [
            of(&News::Refused(why("a"))),
            of(&News::Refused(why("b"))),
            of(&News::Waiting(why("a"))),
        ];
        assert!(tags[0] != tags[1] && tags[0] != tags[2]);
        assert_eq!(tags[0], of(&News::Refused(why("a"))));
        assert!(!is_session(Some(&tags[0])) && !is_session(None));
        assert!(is_session(Some("s-1")));
    }
}
