//! Pods that exist as objects alone, and their tokens.

use crate::{Failure, api_server::ApiServer};
use alter_crds::names::pod::{BROKER, BROKER_ASKS};
use alter_protocol::broker::AUDIENCE;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, api::PostParams};
use serde_json::json;

const ACCOUNT: &str = "app";
/// Requests to the API server under way at once.
const CONCURRENCY: usize = 32;

/// Creates pods, and gives a token of each.
pub(super) async fn create(
    server: &ApiServer,
    namespace: &str,
    count: u32,
) -> Result<Vec<String>, Failure> {
    let accounts: Api<ServiceAccount> = Api::namespaced(server.client.clone(), namespace);
    let account = json!({"metadata": {"name": ACCOUNT}});
    server.create(&accounts, account).await?;
    let pods: Api<Pod> = Api::namespaced(server.client.clone(), namespace);
    let (pods, accounts) = (&pods, &accounts);
    stream::iter(0..count)
        .map(async |number| {
            let name = format!("app-{number:04}");
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "labels": {BROKER: BROKER_ASKS}},
                "spec": {
                    "serviceAccountName": ACCOUNT,
                    "containers": [{"name": "app", "image": "app"}],
                },
            });
            server.create(pods, pod).await?;
            let request: TokenRequest = serde_json::from_value(json!({
                "metadata": {},
                "spec": {
                    "audiences": [AUDIENCE],
                    "expirationSeconds": 3_600,
                    "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name},
                },
            }))?;
            let params = PostParams::default();
            let answer = accounts
                .create_token_request(ACCOUNT, &params, &request)
                .await?;
            let token = answer.status.map(|status| status.token);
            token.ok_or_else(|| Failure::from(format!("no token for {name}")))
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}
