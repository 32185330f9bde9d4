//! What agent and broker say to each other: one question for all of a pod's grants, one answer with what is new.
//!
//! The agent asks by `POST` [`PATH`], with its pod's token as `Authorization: Bearer`. The broker holds the
//! question until it has something to tell that the agent does not know, or for [`PATIENCE`]. Only an answer of
//! status 200 says anything about a grant: that the broker cannot be reached, fails, or does not accept the
//! token takes nothing away.

use crate::{Revocation, Session, grant::GrantDocument, session::SecretText};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

/// Where agents ask. Its version rises when an old agent would do wrong with an answer.
pub const PATH: &str = "/v1/sessions";
/// The audience of the tokens that agents show.
pub const AUDIENCE: &str = "alter.dev";
/// How long the broker holds a question at most.
pub const PATIENCE: Duration = Duration::from_secs(55);
/// So many grants may stand in one question, as in one pod's annotation.
pub const GRANTS: usize = 64;

/// What an agent asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Each of its grants once.
    pub grants: Vec<Asked>,
}

/// One grant of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name, in the namespace of the pod's token.
    pub grant: String,
    /// The tag of what the agent was told last, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

/// What the broker answers: the grants of which there is something new, which may be none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Those of the question that are not as the agent knows them.
    pub grants: Vec<Told>,
}

/// What is new of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its name.
    pub grant: String,
    /// Stands for this news: the agent sends it back as [`Asked::known`].
    pub tag: String,
    /// The news.
    pub news: News,
}

/// How a grant stands for the pod that asked.
// Not tagged by a field: serde would keep copies of the secrets while it looks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum News {
    /// A session, in place of any from before.
    Session(Box<Issued>),
    /// Nothing may be served, also not what was told before.
    Refused(Revocation),
    /// There is no new session for now, which ends by itself or with the grant's repair; what was told before
    /// lives until it expires.
    Waiting(Revocation),
}

/// A session with what the agent must know of its grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// As in the `grant.json` of a Secret.
    pub document: GrantDocument,
    /// As in its `credentials.json`.
    #[serde(with = "crate::session::process")]
    pub session: Session,
}

/// Why a question got no answer: the body of every other status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// For people: what happened, and what to do next.
    pub message: String,
}

/// A text that is not what the other side of this version writes. Carries the place, never the text.
#[derive(Debug, thiserror::Error)]
#[error("no message of the broker's protocol: {category} at line {line}, column {column}")]
pub struct MessageError {
    category: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for MessageError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            category: crate::session::category(&error),
            line: error.line(),
            column: error.column(),
        }
    }
}

impl Question {
    /// Reads a question.
    pub fn from_json(text: &[u8]) -> Result<Self, MessageError> {
        Ok(serde_json::from_slice(text)?)
    }
}

impl Answer {
    /// Reads an answer.
    pub fn from_json(text: &[u8]) -> Result<Self, MessageError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// Writes an answer.
    #[must_use]
    pub fn to_json(&self) -> SecretText {
        // Room for all of it at once: a text that grows leaves copies of secrets behind.
        let mut text = Vec::with_capacity(256 + self.grants.len() * 8 * 1024);
        // Structs of strings and numbers: serialising them has no way to fail.
        let _ = serde_json::to_writer(&mut text, self);
        Zeroizing::new(String::from_utf8(text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Answer {
        let document = GrantDocument {
            version: crate::grant::VERSION,
            namespace: "team-a".to_owned(),
            grant: "bedrock".to_owned(),
            region: "us-east-1".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
            service_accounts: Vec::new(),
            deliveries: vec!["process".to_owned()],
            revoked: None,
        };
        let session = Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("s3cr3t/key".to_owned()),
            session_token: Zeroizing::new("tok3n==".to_owned()),
            expiration: "2026-11-22T05:00:00Z".parse().unwrap(),
        };
        let refusal = Revocation {
            reason: "Suspended".to_owned(),
            message: "spec.suspend is true".to_owned(),
        };
        let told = |grant: &str, news| Told {
            grant: grant.to_owned(),
            tag: format!("tag-of-{grant}"),
            news,
        };
        Answer {
            grants: vec![
                told(
                    "bedrock",
                    News::Session(Box::new(Issued { document, session })),
                ),
                told("s3", News::Refused(refusal.clone())),
                told("sqs", News::Waiting(refusal)),
            ],
        }
    }

    #[test]
    fn an_answer_is_read_back() {
        let text = answer().to_json();
        assert_eq!(Answer::from_json(text.as_bytes()).unwrap(), answer());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let session = &json["grants"][0]["news"]["session"]["session"];
        assert_eq!(session["SecretAccessKey"], "s3cr3t/key");
    }

    #[test]
    fn no_message_shows_a_secret_by_debug_or_by_error() {
        let shown = format!("{:?}", answer());
        assert!(!shown.contains("s3cr3t") && !shown.contains("tok3n"));
        let mut json: serde_json::Value = serde_json::from_str(&answer().to_json()).unwrap();
        let session = &mut json["grants"][0]["news"]["session"]["session"];
        session["Expiration"] = json!("tok3n==");
        let error = Answer::from_json(json.to_string().as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("tok3n"), "{error:?}");
    }

    #[test]
    fn what_newer_programs_add_is_ignored_and_unknown_news_is_no_answer() {
        let mut json: serde_json::Value = serde_json::from_str(&answer().to_json()).unwrap();
        json["more"] = json!(1);
        assert_eq!(
            Answer::from_json(json.to_string().as_bytes()).unwrap(),
            answer()
        );
        json["grants"][1]["news"] = json!({"proxied": {}});
        assert!(Answer::from_json(json.to_string().as_bytes()).is_err());
    }

    #[test]
    fn a_session_that_could_not_be_used_is_no_answer() {
        let mut json: serde_json::Value = serde_json::from_str(&answer().to_json()).unwrap();
        json["grants"][0]["news"]["session"]["session"]["SessionToken"] = json!("");
        assert!(Answer::from_json(json.to_string().as_bytes()).is_err());
    }
}
