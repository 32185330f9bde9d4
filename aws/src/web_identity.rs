//! `sts:AssumeRoleWithWebIdentity`, which nobody signs: a token takes the place of a key.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use crate::{
    entry::{Entry, EntryError},
    failure::Failure,
    mend::{Asked, By},
    sts::{self, Assumed, LIMITS, client},
};
use alter_protocol::session::SecretText;
use aws_sdk_sts::{Client, config::Region};

/// A client of STS that has no credentials. Clones share their connections.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    client: Client,
    place: String,
}

impl WebIdentity {
    /// Makes a client; nobody is asked yet. `endpoint` is a URL in place of AWS's own.
    #[must_use]
    pub fn new(region: String, endpoint: Option<String>) -> Self {
        let (client, place) = client(Region::new(region), endpoint, None, LIMITS);
        Self { client, place }
    }

    /// Enters the role with a token. Tried once, as all calls are.
    pub async fn enter(&self, token: &SecretText, entry: &Entry) -> Result<Assumed, EntryError> {
        let Entry {
            role_arn,
            session_name,
            duration_seconds,
            policy,
        } = entry;
        let asked = Asked {
            place: &self.place,
            request: None,
            by: By::Token,
        };
        let fail = |failure| EntryError::WebIdentity {
            role_arn: role_arn.clone(),
            failure: Box::new(failure),
        };
        let call = self
            .client
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(session_name)
            .set_duration_seconds(*duration_seconds)
            .set_policy(policy.document.clone())
            .set_policy_arns(sts::policy_arns(&policy.arns))
            .web_identity_token(token.as_str());
        let answer = call.send().await;
        let output = answer.map_err(|error| fail(Failure::of(&error, &asked)))?;
        let arn = output.assumed_role_user.map(|user| user.arn);
        let assumed = sts::session(output.credentials, arn.ok_or("AssumedRoleUser"));
        let assumed = assumed.map_err(|field| fail(Failure::incomplete(field, &asked)))?;
        Ok(Assumed {
            source_identity: output.source_identity,
            ..assumed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Class,
        test_sts::{Answer, TestSts},
    };

    use alter_policy::session_policy::SessionPolicy;

    fn entry() -> Entry {
        Entry {
            role_arn: "arn:aws:iam::111122223333:role/alter".to_owned(),
            session_name: "alter.default".to_owned(),
            duration_seconds: Some(3600),
            policy: SessionPolicy::default(),
        }
    }

    async fn enter(answer: Answer) -> (TestSts, Result<Assumed, EntryError>) {
        let server = TestSts::start(move |_| answer.clone()).await.unwrap();
        let client = WebIdentity::new("us-east-1".to_owned(), Some(server.url()));
        let token = SecretText::new("hunter2".to_owned());
        let entered = client.enter(&token, &entry()).await;
        (server, entered)
    }

    #[tokio::test]
    async fn the_token_is_shown_and_nothing_is_signed() {
        let (server, entered) = enter(Answer::Success).await;
        assert_eq!(
            entered.unwrap().assumed_role_arn,
            "arn:aws:sts::111122223333:assumed-role/alter/alter.default"
        );
        let call = &server.calls()[0];
        assert_eq!(call.access_key_id, "", "no signature");
        let sent: Vec<_> = call
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            sent,
            [
                ("Action", "AssumeRoleWithWebIdentity"),
                ("DurationSeconds", "3600"),
                ("RoleArn", "arn:aws:iam::111122223333:role/alter"),
                ("RoleSessionName", "alter.default"),
                ("Version", "2011-06-15"),
                ("WebIdentityToken", "hunter2"),
            ]
        );
    }

    #[tokio::test]
    async fn a_refusal_says_what_to_do_and_shows_no_token() {
        for (status, code, class, word) in [
            (403, "AccessDenied", Class::Denied, "trust policy"),
            (
                400,
                "InvalidIdentityToken",
                Class::SourceRejected,
                "OIDC provider",
            ),
            (
                400,
                "ExpiredTokenException",
                Class::SourceRejected,
                "OIDC provider",
            ),
            (403, "IDPRejectedClaim", Class::SourceRejected, "audience"),
            (
                400,
                "IDPCommunicationError",
                Class::Transient,
                "asks again by itself",
            ),
            (
                400,
                "ValidationError",
                Class::InvalidInput,
                "correct the field",
            ),
        ] {
            let (server, entered) = enter(Answer::Error(status, code, "as AWS says it")).await;
            let error = entered.unwrap_err();
            assert_eq!(error.class(), class, "{error}");
            let text = format!("{error} {error:?}");
            let said = format!(
                "sts:AssumeRoleWithWebIdentity of arn:aws:iam::111122223333:role/alter failed: {code}: as AWS says it; "
            );
            assert!(text.starts_with(&said) && text.contains(word), "{text}");
            assert!(!text.contains("hunter"), "{text}");
            assert_eq!(server.calls().len(), 1);
        }
    }
}
