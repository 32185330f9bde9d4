//! The Secret with an identity's access key or certificate, and what is in it.

use crate::error::IssueError;
use alter_aws::{Certificate, CertificateError, Source};
use alter_crds::names::{access_key, certificate_source};
use alter_protocol::session::SecretText;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// How long the API server may take to give a Secret, or a token.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads Secrets of the operator's namespace, and of no other.
pub(crate) struct Secrets {
    api: Api<Secret>,
    namespace: String,
}

/// An access key, and which version of its Secret it is from.
pub(crate) struct Key {
    pub(crate) source: Source,
    pub(crate) version: String,
}

impl Secrets {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
        }
    }

    /// Reads the access key that an identity names.
    pub(crate) async fn access_key(&self, identity: &str, name: &str) -> Result<Key, IssueError> {
        let secret = self.read(identity, name, access_key::NEEDED).await?;
        access_key_of(secret).map_err(|key| self.lacks(identity, name, key))
    }

    /// Reads the certificate that an identity names.
    pub(crate) async fn certificate(
        &self,
        identity: &str,
        name: &str,
    ) -> Result<Certificate, IssueError> {
        let mut secret = self
            .read(identity, name, certificate_source::NEEDED)
            .await?;
        let mut need = |key| {
            let text = text(&mut secret, key);
            text.ok_or_else(|| self.lacks(identity, name, key))
        };
        let certificates = need(certificate_source::CERTIFICATE)?;
        let key = need(certificate_source::KEY)?;
        Certificate::read(certificates.as_bytes(), &key)
            .map_err(|source| self.unusable(identity, name, source))
    }

    /// A certificate that cannot be used.
    pub(crate) fn unusable(
        &self,
        identity: &str,
        name: &str,
        source: CertificateError,
    ) -> IssueError {
        IssueError::Certificate {
            identity: identity.to_owned(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            source,
        }
    }

    fn lacks(&self, identity: &str, name: &str, key: &'static str) -> IssueError {
        IssueError::SecretKey {
            identity: identity.to_owned(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            key,
        }
    }

    async fn read(
        &self,
        identity: &str,
        name: &str,
        keys: &'static str,
    ) -> Result<Secret, IssueError> {
        let (identity, namespace, name) =
            (identity.to_owned(), self.namespace.clone(), name.to_owned());
        let Ok(answer) = tokio::time::timeout(TIMEOUT, self.api.get_opt(&name)).await else {
            return Err(IssueError::SecretTimeout {
                identity,
                namespace,
                name,
            });
        };
        match answer {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(IssueError::SecretMissing {
                identity,
                namespace,
                name,
                keys,
            }),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Err(IssueError::SecretForbidden {
                    identity,
                    namespace,
                    name,
                })
            }
            Err(error) => Err(IssueError::SecretRead {
                identity,
                namespace,
                name,
                source: Arc::new(error),
            }),
        }
    }
}

/// Takes an access key out of a Secret; the error is the name of what lacks.
fn access_key_of(mut secret: Secret) -> Result<Key, &'static str> {
    let mut need = |key| text(&mut secret, key).ok_or(key);
    let access_key_id = need(access_key::ACCESS_KEY_ID)?;
    let secret_access_key = need(access_key::SECRET_ACCESS_KEY)?;
    let session_token = need(access_key::SESSION_TOKEN).ok();
    Ok(Key {
        source: Source::AccessKey {
            access_key_id: access_key_id.to_string(),
            secret_access_key,
            session_token,
        },
        version: secret.metadata.resource_version.unwrap_or_default(),
    })
}

/// Takes the text under a key out of a Secret, if there is some.
fn text(secret: &mut Secret, key: &str) -> Option<SecretText> {
    let bytes = secret.data.as_mut()?.remove(key)?;
    let text = Zeroizing::new(String::from_utf8(bytes.0).ok()?);
    // A newline at the end is what `echo` leaves, and no key has one.
    let text = SecretText::new(text.trim().to_owned());
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn secret(data: &[(&str, &str)]) -> Secret {
        let data = data
            .iter()
            .map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec())));
        Secret {
            data: Some(data.collect()),
            ..Secret::default()
        }
    }

    #[test]
    fn whitespace_around_a_key_is_no_part_of_it() {
        let read = access_key_of(secret(&[
            ("accessKeyId", " AKIAEXAMPLE\n"),
            ("secretAccessKey", "hunter2\n"),
        ]))
        .ok()
        .unwrap();
        let Source::AccessKey {
            access_key_id,
            secret_access_key,
            session_token,
        } = read.source
        else {
            panic!("no access key");
        };
        assert_eq!(access_key_id, "AKIAEXAMPLE");
        assert_eq!(*secret_access_key, "hunter2");
        assert_eq!(session_token, None);
    }

    #[test]
    fn what_lacks_is_named() {
        for (data, key) in [
            (vec![], "accessKeyId"),
            (vec![("accessKeyId", "A")], "secretAccessKey"),
            (vec![("secretAccessKey", "S")], "accessKeyId"),
            (
                vec![("accessKeyId", "A"), ("secretAccessKey", "\n")],
                "secretAccessKey",
            ),
        ] {
            assert_eq!(access_key_of(secret(&data)).err(), Some(key));
        }
        assert_eq!(access_key_of(Secret::default()).err(), Some("accessKeyId"));
    }
}
