//! The Secret with an identity's access key, and what is in it.

use crate::error::IssueError;
use alter_aws::Source;
use alter_crds::names::access_key;
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
pub(crate) struct Read {
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
    pub(crate) async fn read(&self, identity: &str, name: &str) -> Result<Read, IssueError> {
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
            Ok(Some(secret)) => parse(secret).map_err(|key| IssueError::SecretKey {
                identity,
                namespace,
                name,
                key,
            }),
            Ok(None) => Err(IssueError::SecretMissing {
                identity,
                namespace,
                name,
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

/// Takes the key out of a Secret; the error is the name of what lacks.
fn parse(mut secret: Secret) -> Result<Read, &'static str> {
    let mut take = |key: &'static str| {
        let bytes = secret.data.as_mut()?.remove(key)?;
        let text = Zeroizing::new(String::from_utf8(bytes.0).ok()?);
        // A newline at the end is what `echo` leaves, and no key has one.
        let text = SecretText::new(text.trim().to_owned());
        (!text.is_empty()).then_some(text)
    };
    let access_key_id = take(access_key::ACCESS_KEY_ID).ok_or(access_key::ACCESS_KEY_ID)?;
    let secret_access_key =
        take(access_key::SECRET_ACCESS_KEY).ok_or(access_key::SECRET_ACCESS_KEY)?;
    let session_token = take(access_key::SESSION_TOKEN);
    Ok(Read {
        source: Source::AccessKey {
            access_key_id: access_key_id.to_string(),
            secret_access_key,
            session_token,
        },
        version: secret.metadata.resource_version.unwrap_or_default(),
    })
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
        let read = parse(secret(&[
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
            assert_eq!(parse(secret(&data)).err(), Some(key));
        }
        assert_eq!(parse(Secret::default()).err(), Some("accessKeyId"));
    }
}
