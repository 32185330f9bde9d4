//! The webhook's router over a scripted API server, and questions to it.

#![allow(clippy::unwrap_used, reason = "in what the tests share")]
#![allow(dead_code, reason = "each test uses a part of it")]

use alter_crds::{AwsGrant, AwsIdentity};
use alter_webhook::{
    args::Args,
    cache::Cache,
    metrics::Metrics,
    receive::Gates,
    router::{App, router},
};
use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use clap::Parser;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, client::Body as KubeBody, core::PartialObjectMeta};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;
use tower_test::mock::{self, Handle};

pub(super) type ApiServer = Handle<Request<KubeBody>, Response<KubeBody>>;

pub(super) struct Webhook {
    pub(super) router: Router,
    pub(super) registry: Registry,
    pub(super) api_server: ApiServer,
}

pub(super) fn grant(name: &str) -> AwsGrant {
    serde_json::from_value(grant_json(name)).unwrap()
}

pub(super) fn grant_json(name: &str) -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsGrant",
        "metadata": {"name": name, "namespace": "team-a", "uid": "u"},
        "spec": {
            "identity": "default",
            "roleArn": "arn:aws:iam::111122223333:role/team-a-bedrock",
            "region": "us-east-1",
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Issued", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    })
}

pub(super) fn identity_json() -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity",
        "metadata": {"name": "default"},
        "spec": {
            "region": "us-east-1",
            "credentials": {"ambient": {}},
            "allow": [{
                "namespaces": {"selector": {"matchLabels": {"team": "a"}}},
                "roleArns": ["arn:aws:iam::111122223333:role/team-a-*"],
            }],
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Identified", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    })
}

pub(super) fn webhook() -> Webhook {
    let (service, api_server) = mock::pair();
    let identity: AwsIdentity = serde_json::from_value(identity_json()).unwrap();
    let namespace: PartialObjectMeta<Namespace> =
        serde_json::from_value(json!({"metadata": {"name": "team-a", "labels": {"team": "a"}}}))
            .unwrap();
    let cache = Cache::holding(
        Client::new(service, "default"),
        vec![grant("bedrock")],
        vec![identity],
        vec![namespace],
    );
    let mut registry = Registry::with_prefix("alter_webhook");
    let args = Args::parse_from(["alter-webhook", "--agent-image", "agent:1"]);
    let app = App {
        cache,
        settings: args.settings(),
        metrics: Metrics::register(&mut registry),
        gates: Gates::default(),
    };
    Webhook {
        router: router(Arc::new(app)),
        registry,
        api_server,
    }
}

impl Webhook {
    pub(super) async fn send(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, body.to_vec())
    }

    /// The `response` to a review.
    pub(super) async fn ask(&self, path: &str, review: &Value) -> Value {
        let (status, body) = self.send(post(path, review.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], "question-1");
        answer["response"].clone()
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

pub(super) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(body.into())
        .unwrap()
}

pub(super) fn review(operation: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "question-1", "operation": operation, "namespace": "team-a",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": object, "oldObject": null, "dryRun": false,
        },
    })
}

/// Without name and namespace, as from a controller.
pub(super) fn pod(grant: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "app-", "creationTimestamp": null, "annotations": {"alter.dev/grant": grant}},
        "spec": {"containers": [{"name": "app", "image": "app:1", "resources": {}}], "securityContext": {}},
        "status": {},
    })
}

/// The API server has no such grant.
pub(super) fn not_found() -> Response<KubeBody> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
        "reason": "NotFound", "message": "awsgrants.alter.dev \"late\" not found",
    });
    Response::builder()
        .status(404)
        .body(KubeBody::from(status.to_string().into_bytes()))
        .unwrap()
}
