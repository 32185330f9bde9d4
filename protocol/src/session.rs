//! One set of temporary credentials, and how each kind of SDK provider wants to read it.
//!
//! The forms follow the AWS SDKs and Tools Reference Guide: "Process credential provider" and
//! "Container credential provider".

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A text that holds secrets: zeroed when dropped.
pub type SecretText = Zeroizing<String>;

/// One set of temporary credentials with its expiration.
///
/// Has no `Display`, and a `Debug` that shows the access key id and the expiration alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The access key id, `ASIA…`; not a secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretText,
    /// The session token.
    pub session_token: SecretText,
    /// When AWS stops accepting the session.
    pub expiration: Timestamp,
}

/// Why a `credentials.json` is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Not the JSON that Alter writes. Carries the place, never the text.
    #[error("credentials.json is not a session: {category} at line {line}, column {column}")]
    Decode {
        /// `syntax`, `data` or `eof`.
        category: &'static str,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// A version of the document that this program does not know.
    #[error("credentials.json has Version {0}; this program reads version 1")]
    Version(u32),
    /// `Expiration` is no RFC 3339 time.
    #[error("credentials.json has an Expiration that is no RFC 3339 time")]
    Expiration,
    /// A field is there and empty, which SDKs would sign with or refuse.
    #[error("credentials.json has an empty {0}")]
    Empty(&'static str),
}

/// The document of `credential_process`, version 1.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessDocument<'a> {
    version: u32,
    access_key_id: std::borrow::Cow<'a, str>,
    secret_access_key: std::borrow::Cow<'a, str>,
    session_token: std::borrow::Cow<'a, str>,
    expiration: String,
}

/// The document of the container credentials endpoint.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDocument<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
}

/// The role's document of instance metadata.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImdsDocument<'a> {
    code: &'static str,
    last_updated: String,
    r#type: &'static str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
}

impl Session {
    /// Whether AWS still accepts the session at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expiration
    }

    /// The `credential_process` document, version 1, which is also the Secret's `credentials.json`.
    #[must_use]
    pub fn to_process_json(&self) -> SecretText {
        json(&ProcessDocument::from(self))
    }

    /// The body of the container credentials endpoint.
    #[must_use]
    pub fn to_container_json(&self) -> SecretText {
        json(&ContainerDocument {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            token: &self.session_token,
            expiration: rfc3339(self.expiration),
        })
    }

    /// The document of the role in instance metadata. `updated` is when the session came.
    #[must_use]
    pub fn to_imds_json(&self, updated: Timestamp) -> SecretText {
        json(&ImdsDocument {
            code: "Success",
            last_updated: rfc3339(updated),
            r#type: "AWS-HMAC",
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            token: &self.session_token,
            expiration: rfc3339(self.expiration),
        })
    }

    /// A shared credentials file with the session under each of `profiles`.
    #[must_use]
    pub fn to_shared_credentials(&self, profiles: &[&str]) -> SecretText {
        let mut file = Zeroizing::new(String::with_capacity(
            profiles.len() * (self.session_token.len() + 256),
        ));
        for profile in profiles {
            for part in [
                "[",
                profile,
                "]\naws_access_key_id = ",
                &self.access_key_id,
                "\naws_secret_access_key = ",
                &self.secret_access_key,
                "\naws_session_token = ",
                &self.session_token,
                "\n",
            ] {
                file.push_str(part);
            }
        }
        file
    }

    /// Reads a Secret's `credentials.json`.
    pub fn from_process_json(text: &[u8]) -> Result<Self, SessionError> {
        let document: ProcessDocument<'_> =
            serde_json::from_slice(text).map_err(|error| SessionError::Decode {
                category: category(&error),
                line: error.line(),
                column: error.column(),
            })?;
        document.try_into()
    }
}

impl<'a> From<&'a Session> for ProcessDocument<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            version: 1,
            access_key_id: session.access_key_id.as_str().into(),
            secret_access_key: session.secret_access_key.as_str().into(),
            session_token: session.session_token.as_str().into(),
            expiration: rfc3339(session.expiration),
        }
    }
}

impl TryFrom<ProcessDocument<'_>> for Session {
    type Error = SessionError;

    fn try_from(document: ProcessDocument<'_>) -> Result<Self, SessionError> {
        if document.version != 1 {
            return Err(SessionError::Version(document.version));
        }
        for (name, value) in [
            ("AccessKeyId", &document.access_key_id),
            ("SecretAccessKey", &document.secret_access_key),
            ("SessionToken", &document.session_token),
        ] {
            if value.is_empty() {
                return Err(SessionError::Empty(name));
            }
        }
        Ok(Self {
            access_key_id: document.access_key_id.into_owned(),
            secret_access_key: Zeroizing::new(document.secret_access_key.into_owned()),
            session_token: Zeroizing::new(document.session_token.into_owned()),
            expiration: document
                .expiration
                .parse()
                .map_err(|_| SessionError::Expiration)?,
        })
    }
}

/// A session as a part of another document, in the form of [`Session::to_process_json`].
pub(crate) mod process {
    use super::{ProcessDocument, Session};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(session: &Session, to: S) -> Result<S::Ok, S::Error> {
        ProcessDocument::from(session).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Session, D::Error> {
        let document = ProcessDocument::deserialize(from)?;
        document.try_into().map_err(D::Error::custom)
    }
}

/// What kind of fault it is, which tells nothing of the text.
pub(crate) fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Syntax => "syntax",
        serde_json::error::Category::Eof => "eof",
        _ => "data",
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// RFC 3339 in UTC, whole seconds, with `Z`: the one form that every SDK parser accepts.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    let seconds = time.round(
        jiff::TimestampRound::new()
            .smallest(Unit::Second)
            .mode(jiff::RoundMode::Floor),
    );
    seconds.unwrap_or(time).to_string()
}

fn json<T: Serialize>(document: &T) -> SecretText {
    // Structs of strings and numbers: serialising them has no way to fail.
    Zeroizing::new(serde_json::to_string(document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("s3cr3t/key".to_owned()),
            session_token: Zeroizing::new("tok3n==".to_owned()),
            expiration: "2026-11-22T05:00:00.75Z".parse().unwrap(),
        }
    }

    #[test]
    fn process_document_has_the_form_every_sdk_reads() {
        let json: serde_json::Value = serde_json::from_str(&session().to_process_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "Version": 1,
                "AccessKeyId": "ASIAEXAMPLE",
                "SecretAccessKey": "s3cr3t/key",
                "SessionToken": "tok3n==",
                "Expiration": "2026-11-22T05:00:00Z",
            })
        );
    }

    #[test]
    fn container_document_has_the_form_every_sdk_reads() {
        let json: serde_json::Value = serde_json::from_str(&session().to_container_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "AccessKeyId": "ASIAEXAMPLE",
                "SecretAccessKey": "s3cr3t/key",
                "Token": "tok3n==",
                "Expiration": "2026-11-22T05:00:00Z",
            })
        );
    }

    #[test]
    fn shared_credentials_file_repeats_the_session_under_each_profile() {
        let file = session().to_shared_credentials(&["bedrock", "default"]);
        let section = "aws_access_key_id = ASIAEXAMPLE\naws_secret_access_key = s3cr3t/key\n\
                       aws_session_token = tok3n==\n";
        assert_eq!(*file, format!("[bedrock]\n{section}[default]\n{section}"));
    }

    #[test]
    fn process_document_is_read_back() {
        let read = Session::from_process_json(session().to_process_json().as_bytes()).unwrap();
        assert_eq!(read.secret_access_key, session().secret_access_key);
        assert_eq!(read.expiration, "2026-11-22T05:00:00Z".parse().unwrap());
    }

    #[test]
    fn errors_never_quote_the_document() {
        let error = Session::from_process_json(
            br#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":["hunter2"]}"#,
        )
        .unwrap_err()
        .to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("data at line 1"), "{error}");
    }

    #[test]
    fn an_empty_field_is_no_session() {
        let document = session().to_process_json().replace("\"tok3n==\"", "\"\"");
        let error = Session::from_process_json(document.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "credentials.json has an empty SessionToken"
        );
    }

    #[test]
    fn debug_never_shows_a_secret() {
        let shown = format!("{:?}", session());
        assert!(shown.contains("ASIAEXAMPLE"));
        assert!(
            !shown.contains("s3cr3t") && !shown.contains("tok3n"),
            "{shown}"
        );
    }
}
