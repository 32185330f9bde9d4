//! Passes over one Secret, against a scripted API server.

use super::*;
use crate::{
    fixtures,
    scripted::{Log, api, list, patched, refusal, stored},
    session_secret::index::Pending,
};
use alter_crds::names::secret;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    core::PartialObjectMeta,
    runtime::{reflector, watcher::Event},
};
use serde_json::{Value, json};
use tokio::time::Instant;

const SECRETS: &str = "/api/v1/namespaces/team-a/secrets";
const SECRET: &str = "/api/v1/namespaces/team-a/secrets/bedrock-aws";
const GRANT: &str = "/apis/alter.dev/v1alpha1/namespaces/team-a/awsgrants/bedrock";

fn serving() -> Value {
    serde_json::to_value(fixtures::secret_metadata("g-1")).unwrap()
}

fn emptied(at: &str) -> Value {
    let mut metadata = serving();
    metadata["annotations"] = json!({
        secret::GRANT_UID: "g-1",
        secret::REVOKED_AT: fixtures::at(at).to_string(),
        secret::REVOKED_REASON: "Deleted",
    });
    metadata
}

fn removed() -> (u16, Value) {
    (
        200,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
    )
}

/// One pass at 04:00, with no grant in the cache.
async fn pass(metadata: Value, grant: (u16, Value)) -> (Log, Duration, bool) {
    let (log, sweep) = sweep(&metadata, grant, removed());
    let mut retries = Retries::default();
    let wait = sweep.pass(fixtures::now(), &mut retries).await;
    let key = ("team-a".to_owned(), "bedrock-aws".to_owned());
    (log, wait, retries.waits(&key, fixtures::now()).is_some())
}

/// A sweep that knows of one Secret.
fn sweep(metadata: &Value, grant: (u16, Value), removal: (u16, Value)) -> (Log, Sweep) {
    let live = metadata.clone();
    let (client, log) = api(
        move |asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", SECRETS) => list(std::slice::from_ref(&live)),
            ("GET", GRANT) => grant.clone(),
            ("DELETE", _) => removal.clone(),
            _ => stored(asked),
        },
    );
    let index = Arc::new(Index::default());
    let object: PartialObjectMeta<Secret> =
        serde_json::from_value(json!({"metadata": metadata})).unwrap();
    index.follow(&mut Pending::new(), &Event::Apply(object));
    let fence = Fence::new();
    fence.open(Instant::now(), clock::now());
    let sweep = Sweep {
        writer: Writer::new(client.clone(), fence.clone()),
        client,
        synced: Synced::new(),
        index,
        grants: reflector::store().0,
        fence,
        metrics: Metrics::default(),
        wake: Arc::default(),
    };
    (log, sweep)
}

#[tokio::test]
async fn the_session_of_a_deleted_grant_is_taken_away_if_the_secret_is_still_the_same() {
    let (log, ..) = pass(serving(), refusal(404, "NotFound")).await;
    let expected = [
        format!("GET {SECRETS}"),
        format!("GET {GRANT}"),
        format!("PATCH {SECRET}"),
    ];
    assert_eq!(log.lines(), expected);
    let patch = log.at(2);
    assert_eq!(patched(&patch, "/metadata/resourceVersion"), "7");
    assert_eq!(
        patched(&patch, "/metadata/annotations")[secret::REVOKED_REASON],
        "Deleted"
    );
    assert_eq!(patched(&patch, "/data").as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_grant_that_lives_behind_a_late_cache_keeps_its_session() {
    let grant = json!({"metadata": {"name": "bedrock", "namespace": "team-a", "uid": "g-1"}});
    let (log, _, failed) = pass(serving(), (200, grant)).await;
    assert_eq!(
        log.lines(),
        [format!("GET {SECRETS}"), format!("GET {GRANT}")]
    );
    assert!(!failed);
}

#[tokio::test]
async fn another_grant_of_the_same_name_does_not_keep_it() {
    let grant = json!({"metadata": {"name": "bedrock", "namespace": "team-a", "uid": "g-2"}});
    let (log, ..) = pass(serving(), (200, grant)).await;
    assert_eq!(log.lines()[2], format!("PATCH {SECRET}"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_taken_away() {
    let (log, _, failed) = pass(serving(), refusal(500, "InternalError")).await;
    assert_eq!(log.lines().len(), 2);
    assert!(failed);
}

#[tokio::test]
async fn an_emptied_secret_waits_without_a_call_and_then_goes() {
    let (log, wait, _) = pass(emptied("03:59:30"), refusal(404, "NotFound")).await;
    assert_eq!((log.lines(), wait), (vec![], Duration::from_mins(1)));
    let (log, ..) = pass(emptied("03:55:00"), refusal(404, "NotFound")).await;
    assert_eq!(log.lines()[2], format!("DELETE {SECRET}"));
}

#[tokio::test]
async fn one_that_stays_is_tried_again_later_and_not_at_each_pass() {
    // Refused, or kept by a finalizer.
    for removal in [refusal(403, "Forbidden"), removed()] {
        let (log, sweep) = sweep(&emptied("03:55:00"), refusal(404, "NotFound"), removal);
        let mut retries = Retries::default();
        let start = fixtures::now();
        for second in 0..60 {
            let now = start + jiff::SignedDuration::from_secs(second);
            sweep.pass(now, &mut retries).await;
        }
        let lines = log.lines();
        let removals = lines.iter().filter(|line| line.starts_with("DELETE"));
        assert_eq!(removals.count(), 6, "after 1, 2, 4, 8, 16 seconds");
    }
}

#[tokio::test]
async fn only_secrets_of_sessions_are_looked_at() {
    let (log, ..) = pass(serving(), refusal(404, "NotFound")).await;
    let query = log.at(0).query;
    assert!(query.contains("type%3Dalter.dev%2Faws-session"), "{query}");
    assert!(crate::session_secret::OF_SESSIONS.ends_with(secret::SESSION_TYPE));
}
