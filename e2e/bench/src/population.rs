//! The objects that the programs under measurement have to do with.

use crate::{Failure, api_server::ApiServer};
use alter_crds::{AwsGrant, AwsIdentity, names::access_key};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use serde_json::json;
use std::net::SocketAddr;

/// Grants in one namespace.
const GRANTS_A_NAMESPACE: u32 = 50;
/// Requests to the API server under way at once while objects are made.
const CONCURRENCY: usize = 32;
const KEY_SECRET: &str = "bench-access-key";

/// Namespace and name of each of `count` grants, in namespaces whose names begin with `prefix`.
pub(crate) fn grants(prefix: &str, count: u32) -> impl Iterator<Item = (String, String)> {
    let place = move |number| {
        let namespace = format!("{prefix}-{:03}", number / GRANTS_A_NAMESPACE);
        (namespace, format!("grant-{number:05}"))
    };
    (0..count).map(place)
}

/// What a Secret with an access key holds.
pub(crate) fn access_key() -> serde_json::Value {
    json!({
        access_key::ACCESS_KEY_ID: "AKIABENCHBENCHBENCH1",
        access_key::SECRET_ACCESS_KEY: "k".repeat(40),
    })
}

/// The identity `default`, which asks `sts` and allows everything.
pub(crate) async fn create_identity(server: &ApiServer, sts: SocketAddr) -> Result<(), Failure> {
    server.create_secret(KEY_SECRET, access_key()).await?;
    let api: Api<AwsIdentity> = Api::all(server.client.clone());
    let identity = json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsIdentity",
        "metadata": {"name": "default"},
        "spec": {
            "region": "us-east-1",
            "endpoints": {"sts": format!("http://{sts}")},
            "credentials": {"accessKey": {"secretRef": {"name": KEY_SECRET}}},
            "allow": [{
                "namespaces": {"selector": {}},
                "roleArns": ["arn:aws:iam::111122223333:role/*"],
            }],
        },
    });
    server.create(&api, identity).await
}

/// The grants of [`grants`], and their namespaces.
pub(crate) async fn create_grants(
    server: &ApiServer,
    prefix: &str,
    count: u32,
) -> Result<(), Failure> {
    let mut namespaces: Vec<_> = grants(prefix, count)
        .map(|(namespace, _)| namespace)
        .collect();
    namespaces.dedup();
    stream::iter(namespaces)
        .map(async |namespace| server.create_namespace(&namespace).await)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    stream::iter(grants(prefix, count))
        .map(async |(namespace, name)| {
            let api: Api<AwsGrant> = Api::namespaced(server.client.clone(), &namespace);
            let grant = json!({
                "apiVersion": "alter.dev/v1alpha1",
                "kind": "AwsGrant",
                "metadata": {"name": name},
                "spec": {
                    "roleArn": format!("arn:aws:iam::111122223333:role/{namespace}/{name}"),
                    "region": "us-east-1",
                },
            });
            server.create(&api, grant).await
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}
