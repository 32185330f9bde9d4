//! What stands for a piece of news between agent and broker: the same news has the same tag, from every replica.

use alter_policy::hex::hex;
use alter_protocol::broker::News;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const SESSION: &str = "s-";
const REFUSED: &str = "r-";
const WAITING: &str = "w-";

/// The tag of `news`. Tells nothing of a session's secrets: it is made from its access key id and its end.
pub(crate) fn of(news: &News) -> String {
    let (kind, parts) = match news {
        News::Session(issued) => (
            format!("{SESSION}{}-", issued.session.expiration.as_second()),
            [
                issued.session.access_key_id.clone(),
                issued.document.to_json(),
            ],
        ),
        News::Refused(why) => (
            REFUSED.to_owned(),
            [why.reason.clone(), why.message.clone()],
        ),
        News::Waiting(why) => (
            WAITING.to_owned(),
            [why.reason.clone(), why.message.clone()],
        ),
    };
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    format!("{kind}{}", hex(&hash.finalize()[..12]))
}

/// When the session ends that the agent knows, if it knows one.
pub(crate) fn end_of_session(known: Option<&str>) -> Option<Timestamp> {
    let (end, _) = known?.strip_prefix(SESSION)?.split_once('-')?;
    Timestamp::from_second(end.parse().ok()?).ok()
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
        let end = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(end_of_session(Some("s-1800000000-00ff")), Some(end));
        for none in [Some(tags[0].as_str()), Some("s-"), Some("s-x-y"), None] {
            assert_eq!(end_of_session(none), None);
        }
    }
}
