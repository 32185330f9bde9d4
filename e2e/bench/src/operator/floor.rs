//! The operator's floor: a bare client that writes the same Secrets and the same status, as many at once.

use super::{CONCURRENCY, DEADLINE, Observer, Phase, cluster_cpu};
use crate::{Failure, api_server::ApiServer, population, program, sts::Counts};
use alter_crds::{AwsGrant, names::field_manager};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::time::Instant;

const PREFIX: &str = "floor";

/// What the operator wrote for one grant.
struct Written {
    secret: Secret,
    status: Value,
}

pub(super) async fn measure(
    server: &ApiServer,
    observer: &Observer,
    grants: u32,
) -> Result<Phase, Failure> {
    let written = Written::read(&server.client).await?;
    population::create_grants(server, PREFIX, grants).await?;
    observer.seen(2 * grants, DEADLINE).await?;
    let (own, cluster) = (program::own_cpu()?, cluster_cpu(server)?);
    let begin = Instant::now();
    stream::iter(population::grants(PREFIX, grants))
        .map(async |(namespace, name)| written.write(&server.client, &namespace, &name).await)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    observer.ready(2 * grants, DEADLINE).await?;
    Ok(Phase {
        took: begin.elapsed(),
        cpu: program::own_cpu()?.saturating_sub(own),
        cluster_cpu: cluster_cpu(server)?.saturating_sub(cluster),
        memory: None,
        counts: Counts::default(),
    })
}

impl Written {
    /// The first grant's.
    async fn read(client: &Client) -> Result<Self, Failure> {
        let (namespace, name) = population::grants("bench", 1)
            .next()
            .ok_or("there is no grant")?;
        let grants: Api<AwsGrant> = Api::namespaced(client.clone(), &namespace);
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let grant = grants.get(&name).await?;
        let mut secret = secrets.get(&grant.secret_name()).await?;
        let (labels, annotations) = (
            secret.metadata.labels.take(),
            secret.metadata.annotations.take(),
        );
        secret.metadata = kube::api::ObjectMeta {
            labels,
            annotations,
            ..Default::default()
        };
        Ok(Self {
            secret,
            status: serde_json::to_value(grant.status)?,
        })
    }

    async fn write(&self, client: &Client, namespace: &str, name: &str) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let mut secret = self.secret.clone();
        secret.metadata.name = Some(name.to_owned());
        secrets.create(&PostParams::default(), &secret).await?;
        let grants: Api<AwsGrant> = Api::namespaced(client.clone(), namespace);
        // As the operator does: an apply would cost more, and be no floor.
        let operations = json!([{"op": "add", "path": "/status", "value": self.status}]);
        let patch = Patch::<()>::Json(serde_json::from_value(operations)?);
        let params = PatchParams {
            field_manager: Some(field_manager::STATUS.to_owned()),
            ..PatchParams::default()
        };
        grants.patch_status(name, &params, &patch).await?;
        Ok(())
    }
}
