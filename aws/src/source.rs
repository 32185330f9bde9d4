//! Where Alter's own credentials come from.

use crate::mend::By;
use alter_protocol::{Session, session::SecretText};
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sts::config::Region;

/// A source of credentials for STS calls. Its `Debug` shows no secret.
#[derive(Clone)]
pub enum Source {
    /// The SDK's default chain in this process: environment, profile, web identity (IRSA), container
    /// endpoint (EKS Pod Identity), instance metadata. Sessions that it brings are renewed by the SDK.
    Ambient,
    /// An access key.
    AccessKey {
        /// `AKIA…`, or `ASIA…` with a session token.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: SecretText,
        /// Of temporary credentials alone.
        session_token: Option<SecretText>,
    },
    /// A session of the identity's own role, which was entered by a token or a certificate. Whoever entered
    /// it does so again before it expires.
    Session(Session),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ambient => f.write_str("Ambient"),
            Self::AccessKey { access_key_id, .. } => f
                .debug_struct("AccessKey")
                .field("access_key_id", access_key_id)
                .finish_non_exhaustive(),
            Self::Session(session) => f.debug_tuple("Session").field(session).finish(),
        }
    }
}

impl Source {
    pub(crate) const fn by(&self) -> By {
        match self {
            Self::Ambient => By::Ambient,
            Self::AccessKey { .. } => By::AccessKey,
            Self::Session(_) => By::Session,
        }
    }

    /// The SDK's provider. Reads the environment, and calls nobody yet.
    pub(crate) async fn provider(self, region: Region) -> SharedCredentialsProvider {
        match self {
            Self::Ambient => {
                let chain = DefaultCredentialsChain::builder().region(region);
                SharedCredentialsProvider::new(chain.build().await)
            }
            Self::AccessKey {
                access_key_id,
                secret_access_key,
                session_token,
            } => SharedCredentialsProvider::new(Credentials::new(
                access_key_id,
                secret_access_key.as_str(),
                session_token.map(|token| token.to_string()),
                None,
                "alter",
            )),
            Self::Session(session) => SharedCredentialsProvider::new(Credentials::new(
                session.access_key_id,
                session.secret_access_key.as_str(),
                Some(session.session_token.to_string()),
                None,
                "alter",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_secret() {
        let source = Source::AccessKey {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: "hunter2".to_owned().into(),
            session_token: Some("hunter3".to_owned().into()),
        };
        let shown = format!("{source:?}");
        assert!(shown.contains("AKIAEXAMPLE"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
