//! Tokens of service accounts of the operator's namespace, by the API server's `TokenRequest`.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>

use crate::{error::IssueError, secret::TIMEOUT};
use alter_crds::identity::WebIdentity;
use alter_protocol::session::SecretText;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};
use std::sync::Arc;

/// The shortest life that the API server gives, in seconds: a token is shown once, as soon as it is there.
const LIFE: i64 = 600;

/// Asks for tokens of the operator's namespace, and of no other.
pub(crate) struct Tokens {
    api: Api<ServiceAccount>,
    namespace: String,
}

impl Tokens {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
        }
    }

    /// A token of the service account that an identity names, for the audience that it names.
    pub(crate) async fn request(
        &self,
        identity: &str,
        own: &WebIdentity,
    ) -> Result<SecretText, IssueError> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![own.audience.clone()],
                expiration_seconds: Some(LIFE),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let name = &own.service_account_ref.name;
        let parameters = PostParams::default();
        let asked = self.api.create_token_request(name, &parameters, &request);
        let (identity, namespace, name) =
            (identity.to_owned(), self.namespace.clone(), name.to_owned());
        let Ok(answer) = tokio::time::timeout(TIMEOUT, asked).await else {
            return Err(IssueError::TokenTimeout {
                identity,
                namespace,
                name,
            });
        };
        match answer {
            // An answer without a token is refused by AWS, with its own words.
            Ok(answer) => {
                let token = answer.status.map(|status| status.token);
                Ok(token.unwrap_or_default().into())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                Err(IssueError::ServiceAccountMissing {
                    identity,
                    namespace,
                    name,
                })
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Err(IssueError::TokenForbidden {
                    identity,
                    namespace,
                    name,
                    audience: own.audience.clone(),
                    source: Arc::new(kube::Error::Api(status)),
                })
            }
            Err(error) => Err(IssueError::TokenRequest {
                identity,
                namespace,
                name,
                source: Arc::new(error),
            }),
        }
    }
}
