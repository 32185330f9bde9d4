//! Passes over pods, against a scripted API server.

use super::*;
use crate::{
    grant::world::{Aws, World},
    scripted::{Asked, Log, api, refusal},
};
use alter_crds::names::pod::GRANT;
use serde_json::{Value, json};

const PODS: &str = "GET /api/v1/pods";
const EVENTS: &str = "POST /apis/events.k8s.io/v1/namespaces/team-a/events";

fn metadata(name: &str, grants: &str) -> Value {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
        "uid": format!("owner-of-{name}"), "controller": true});
    json!({
        "name": name, "namespace": "team-a", "uid": format!("uid-of-{name}"),
        "creationTimestamp": "2026-11-22T03:00:00Z",
        "annotations": {(GRANT): grants}, "ownerReferences": [owner],
    })
}

fn page(items: &[Value], next: &str) -> (u16, Value) {
    let items = items.iter().map(|metadata| json!({"metadata": metadata}));
    let items: Vec<_> = items.collect();
    (200, json!({"metadata": {"continue": next}, "items": items}))
}

fn pod(name: &str, init_container: &str) -> (u16, Value) {
    let spec = json!({"initContainers": [{"name": init_container}], "containers": []});
    (
        200,
        json!({"metadata": {"uid": format!("uid-of-{name}")}, "spec": spec}),
    )
}

/// `injected` has its agent, from a release that set no label; all others have none. Two pages.
fn cluster(asked: &Asked) -> (u16, Value) {
    let name = asked.path.rsplit('/').next().unwrap_or_default();
    match asked.method.as_str() {
        "GET" if asked.path.ends_with("/pods") && asked.query.contains("continue=next") => page(
            &[
                metadata("orphan", "bedrock,other"),
                metadata("injected", "bedrock"),
            ],
            "",
        ),
        "GET" if asked.path.ends_with("/pods") => {
            let mut plain = metadata("plain", "");
            plain["annotations"] = json!({"note": "none"});
            page(&[plain], "next")
        }
        "GET" if name == "injected" => pod(name, "alter-agent"),
        "GET" => pod(name, "migrate"),
        _ => (
            201,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
        ),
    }
}

fn search(
    answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
    evicts: bool,
) -> (Log, Search<Arc<Aws>>) {
    let (client, log) = api(answer);
    let context = World::new().context(client.clone(), Arc::default());
    let settings = Settings {
        every: Duration::from_mins(5),
        evictor: evicts.then_some(client),
    };
    (log, Search::new(context, settings))
}

#[tokio::test]
async fn orphans_are_found_page_by_page_counted_and_told_of_once() {
    let (log, mut search) = search(cluster, false);
    search.pass().await.unwrap();
    let expected = [
        PODS,
        PODS,
        "GET /api/v1/namespaces/team-a/pods/orphan",
        EVENTS,
        "GET /api/v1/namespaces/team-a/pods/injected",
    ];
    assert_eq!(log.lines(), expected);
    let query = log.at(0).query;
    assert!(
        query.contains("labelSelector=%21alter.dev%2Finjected"),
        "{query}"
    );
    assert!(
        query.contains("limit=20") && query.contains("status.phase"),
        "{query}"
    );
    let event = log.at(3).body;
    assert_eq!(
        (event["reason"].as_str(), event["type"].as_str()),
        (Some("AgentMissing"), Some("Warning"))
    );
    assert_eq!(event["regarding"]["uid"], "uid-of-orphan");
    let context = search.context.clone();
    assert_eq!(context.orphans.of("team-a/bedrock"), Some(1));
    assert_eq!(
        context.users.use_of("team-a/bedrock"),
        Some(true),
        "by the older agent"
    );
    search.pass().await.unwrap();
    assert_eq!(
        log.lines()[5..],
        [PODS, PODS],
        "what is known costs no call"
    );
    assert_eq!(context.orphans.of("team-a/bedrock"), Some(1));
    search.forget();
    assert_eq!(context.orphans.of("team-a/bedrock"), None);
    assert_eq!(context.users.use_of("team-a/bedrock"), None);
}

#[tokio::test]
async fn half_a_pass_tells_nothing() {
    let (_, mut search) = search(
        |asked| {
            if asked.query.contains("continue=next") {
                refusal(410, "Expired")
            } else {
                cluster(asked)
            }
        },
        true,
    );
    assert!(search.pass().await.is_err());
    assert_eq!(search.context.orphans.of("team-a/bedrock"), None);
    assert!(search.pass_or_retry().await <= RETRY);
}

#[tokio::test]
async fn a_pod_that_cannot_be_looked_at_is_no_orphan_and_its_grant_is_used() {
    let looks_fail = |asked: &Asked| {
        if asked.path.contains("/namespaces/team-a/pods/") {
            refusal(403, "Forbidden")
        } else {
            cluster(asked)
        }
    };
    let (_, mut search) = search(looks_fail, false);
    search.pass().await.unwrap();
    assert_eq!(search.context.orphans.of("team-a/bedrock"), Some(0));
    assert_eq!(search.context.users.use_of("team-a/bedrock"), Some(true));
}

#[tokio::test]
async fn another_pod_of_the_name_is_not_judged() {
    let (log, mut search) = search(
        |asked| match cluster(asked) {
            (200, mut body) if asked.path.ends_with("/orphan") => {
                body["metadata"]["uid"] = json!("another");
                (200, body)
            }
            answer => answer,
        },
        true,
    );
    search.pass().await.unwrap();
    assert!(
        !log.lines().iter().any(|line| line.starts_with("POST")),
        "{:?}",
        log.lines()
    );
}

#[tokio::test]
async fn an_orphan_is_evicted_only_where_that_is_asked_for() {
    const EVICTION: &str = "POST /api/v1/namespaces/team-a/pods/orphan/eviction";
    let evicted = |log: &Log| log.lines().iter().filter(|line| *line == EVICTION).count();
    let (log, mut asked_not) = search(cluster, false);
    asked_not.pass().await.unwrap();
    assert_eq!(evicted(&log), 0);
    let (log, mut asked) = search(cluster, true);
    asked.pass().await.unwrap();
    assert_eq!(evicted(&log), 1);
    assert_eq!(log.lines().last().map(String::as_str), Some(EVENTS));
    let last = log.at(log.lines().len() - 1).body;
    assert_eq!(last["reason"], "OrphanEvicted");
}
