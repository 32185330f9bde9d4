//! A tenant who may do anything in one namespace and nothing outside of it, as Kubernetes' role `admin` has it.

use crate::{Failure, TestNamespace, kubectl, wait};
use http::{Method, Request, header::CONTENT_TYPE};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, Config, api::ListParams, core::Status};
use serde_json::{Value, json};

/// The tenant's service account.
const ACCOUNT: &str = "tenant";

/// What the API server says to a request: the object, or why it refuses.
pub type Answer = Result<Value, Box<Status>>;

/// A client with a token of a service account of the namespace, and no other right.
pub struct Tenant {
    /// Where the tenant may do anything.
    pub here: TestNamespace,
    /// The tenant's own token, for the API server.
    pub token: String,
    client: Client,
}

impl Tenant {
    /// Makes the tenant of a namespace.
    pub async fn of(here: &TestNamespace) -> Result<Self, Failure> {
        let name = &here.name;
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": ACCOUNT},
            // It holds `edit`, and the rights to AwsGrants with that.
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": name}],
        });
        for object in [account, binding] {
            here.apply(&object.to_string()).await?;
        }
        let token = kubectl::run(&["create", "token", ACCOUNT, "-n", name]).await?;
        let token = token.trim().to_owned();
        let mut config = Config::infer().await?;
        config.auth_info = serde_json::from_value(json!({"token": token}))?;
        let client = Client::try_from(config)?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
        wait::until_found("the tenant's rights", async || {
            Ok(accounts.list(&ListParams::default()).await.ok())
        })
        .await?;
        Ok(Self {
            here: here.clone(),
            token,
            client,
        })
    }

    /// Sends a request as the tenant.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Failure> {
        match self.client.request(request).await {
            Ok(object) => Ok(Ok(object)),
            Err(kube::Error::Api(status)) => Ok(Err(status)),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a request that must be granted.
    pub async fn granted(&self, request: Request<Vec<u8>>) -> Result<Value, Failure> {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = self.send(request).await?;
        answer.map_err(|status| format!("{what}: {}", status.message).into())
    }

    /// Sends a request that must be refused, with all of `parts` in the message.
    pub async fn refused(&self, request: Request<Vec<u8>>, parts: &[&str]) -> Result<(), Failure> {
        let what = format!("{} {}", request.method(), request.uri());
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let Err(status) = self.send(request).await? else {
            return Err(format!("{what} was to be refused: {body}").into());
        };
        let missing = parts.iter().find(|part| !status.message.contains(**part));
        missing.map_or(Ok(()), |part| {
            let said = &status.message;
            Err(format!("{part:?} is missing in: {said}\nfor {what}: {body}").into())
        })
    }
}

/// A request without a body.
pub fn get(path: &str) -> Result<Request<Vec<u8>>, Failure> {
    Ok(Request::get(path).body(Vec::new())?)
}

/// Deletes what is there.
pub fn delete(path: &str) -> Result<Request<Vec<u8>>, Failure> {
    Ok(Request::delete(path).body(Vec::new())?)
}

/// Creates an object among those of the path.
pub fn create(path: &str, object: &Value) -> Result<Request<Vec<u8>>, Failure> {
    with_body(Method::POST, path, "application/json", object)
}

/// Changes what is there by a merge patch.
pub fn patch(path: &str, change: &Value) -> Result<Request<Vec<u8>>, Failure> {
    with_body(Method::PATCH, path, "application/merge-patch+json", change)
}

fn with_body(
    method: Method,
    path: &str,
    type_: &str,
    body: &Value,
) -> Result<Request<Vec<u8>>, Failure> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(CONTENT_TYPE, type_);
    Ok(request.body(serde_json::to_vec(body)?)?)
}
