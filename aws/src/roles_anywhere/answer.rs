//! What `CreateSession` answers. Pure.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html>

use crate::sts::Assumed;
use alter_protocol::Session;
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    credential_set: Vec<CredentialSet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialSet {
    assumed_role_user: AssumedRoleUser,
    credentials: Credentials,
    #[serde(default)]
    source_identity: Option<String>,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Timestamp,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// The session of an answer, or what it lacks.
pub(crate) fn session(body: &[u8]) -> Result<Assumed, &'static str> {
    // What serde says could repeat what it read.
    let created: Created = serde_json::from_slice(body).map_err(|_| "a credentialSet")?;
    let set = created.credential_set.into_iter().next();
    let set = set.ok_or("a credentialSet")?;
    let credentials = set.credentials;
    Ok(Assumed {
        session: Session {
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.into(),
            session_token: credentials.session_token.into(),
            expiration: credentials.expiration,
        },
        assumed_role_arn: set.assumed_role_user.arn,
        source_identity: set.source_identity,
    })
}

/// AWS's error code, out of the header that holds it with its name space.
pub(crate) fn code(header: &str) -> &str {
    let code = header.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default()
}

/// AWS's words about a refusal.
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let refused: Refused = serde_json::from_slice(body).ok()?;
    refused.message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_session_of_the_set_counts() {
        let body = br#"{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/alter/7b","assumedRoleId":"AROA:7b"},
            "credentials":{"accessKeyId":"ASIA1","secretAccessKey":"s","sessionToken":"t","expiration":"2026-11-22T05:00:00Z"},
            "packedPolicySize":0,"roleArn":"arn:aws:iam::111122223333:role/alter","sourceIdentity":"CN"}],"subjectArn":"a"}"#;
        let assumed = session(body).unwrap();
        assert_eq!(assumed.session.access_key_id, "ASIA1");
        assert_eq!(
            assumed.session.expiration,
            "2026-11-22T05:00:00Z".parse().unwrap()
        );
        assert_eq!(
            assumed.assumed_role_arn,
            "arn:aws:sts::111122223333:assumed-role/alter/7b"
        );
        assert_eq!(assumed.source_identity.as_deref(), Some("CN"));
    }

    #[test]
    fn what_lacks_is_named_and_nothing_is_repeated() {
        for body in [
            "",
            "{}",
            r#"{"credentialSet":[]}"#,
            r#"{"credentialSet":["hunter2"]}"#,
        ] {
            assert_eq!(session(body.as_bytes()), Err("a credentialSet"));
        }
    }

    #[test]
    fn refusals_are_read_as_aws_writes_them() {
        assert_eq!(
            code("AccessDeniedException:http://internal/"),
            "AccessDeniedException"
        );
        assert_eq!(
            code("com.amazonaws#ValidationException"),
            "ValidationException"
        );
        assert_eq!(message(br#"{"message":"m"}"#).as_deref(), Some("m"));
        assert_eq!(message(br#"{"Message":"m"}"#).as_deref(), Some("m"));
        assert_eq!(message(b"<html>"), None);
    }
}
