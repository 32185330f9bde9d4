//! Whole looks, against a scripted API server and a scripted AWS.

use super::*;
use crate::{
    backoff::Stumbles,
    context::Rechecks,
    events::Publisher,
    fixtures,
    grant::failures::Failures,
    lease::Fence,
    metrics::Metrics,
    scripted::{self, Asked, Log, list, patched, stored},
    session_secret::{Index, Writer, index::Pending},
    watch::{Cache, Synced},
};
use alter_crds::{AwsGrantStatus, AwsIdentity, names::secret};
use alter_issuer::{Caller, IssueError, Issued};
use alter_protocol::session::rfc3339;
use jiff::SignedDuration;
use kube::{
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{reflector, watcher::Event},
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::{sync::mpsc, time::Instant};

const SECRETS: &str = "/api/v1/namespaces/team-a/secrets";
const SECRET: &str = "/api/v1/namespaces/team-a/secrets/bedrock-aws";
const STATUS: &str = "/apis/alter.dev/v1alpha1/namespaces/team-a/awsgrants/bedrock/status";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/team-a/events";

/// AWS: a session of an hour each time, or a refusal.
#[derive(Default)]
struct Aws {
    asked: AtomicU32,
    refuses: bool,
}

impl Sessions for Arc<Aws> {
    async fn issue(&self, _: &AwsIdentity, _: &AwsGrant) -> Result<Issued, IssueError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.refuses {
            return Err(IssueError::NoSource {
                identity: "default".to_owned(),
            });
        }
        Ok(Issued {
            session: fixtures::session(&rfc3339(clock::now() + SignedDuration::from_hours(1))),
            assumed_role_arn: "arn:aws:sts::111122223333:assumed-role/r/s".to_owned(),
        })
    }

    async fn identify(&self, _: &AwsIdentity) -> Result<Caller, IssueError> {
        unreachable!("grants ask for sessions")
    }

    fn forget(&self, _: &str) {}
}

struct World {
    grant: AwsGrant,
    identity: Option<AwsIdentity>,
    /// Metadata of the grant's Secret, as the cache has it and as the API server does.
    cached: Option<Value>,
    live: Option<Value>,
    refuses: bool,
    leads: bool,
}

struct Seen {
    log: Log,
    sessions: u32,
    action: Action,
}

impl World {
    fn new() -> Self {
        Self {
            grant: fixtures::grant(),
            identity: Some(fixtures::identity()),
            cached: None,
            live: None,
            refuses: false,
            leads: true,
        }
    }

    /// With the Secret of an earlier look, by `grant_uid`, whose session was issued so long ago.
    fn with_secret(mut self, grant_uid: &str, age: SignedDuration) -> Self {
        let mut metadata = serde_json::to_value(fixtures::secret_metadata(grant_uid)).unwrap();
        let issued = clock::now() - age;
        let annotations = &mut metadata["annotations"];
        annotations[secret::ISSUED_AT] = json!(rfc3339(issued));
        annotations[secret::EXPIRATION] = json!(rfc3339(issued + SignedDuration::from_hours(1)));
        annotations[secret::INPUT_DIGEST] = json!(self.digest());
        self.cached = Some(metadata.clone());
        self.live = Some(metadata);
        self
    }

    fn digest(&self) -> String {
        let labels = std::collections::BTreeMap::new();
        match super::super::lookup::look_up(self.identity.as_ref(), Some(&labels), &self.grant, "")
        {
            Lookup::Ready { digest, .. } => digest,
            other => panic!("{other:?}"),
        }
    }

    async fn look(&self) -> Seen {
        let live = self.live.clone();
        let (client, log) = scripted::api(move |asked: &Asked| match asked.method.as_str() {
            "GET" => list(live.as_slice()),
            "POST" if asked.path == EVENTS => (201, asked.body.clone()),
            _ => stored(asked),
        });
        let aws = Arc::new(Aws {
            refuses: self.refuses,
            ..Aws::default()
        });
        let context = self.context(client, aws.clone());
        let object = Arc::new(DeserializeGuard(Ok(self.grant.clone())));
        let action = reconcile(object, context).await.unwrap();
        Seen {
            log,
            sessions: aws.asked.load(Ordering::Relaxed),
            action,
        }
    }

    fn context(&self, client: kube::Client, sessions: Arc<Aws>) -> Arc<Context<Arc<Aws>>> {
        let fence = Fence::new();
        if self.leads {
            fence.open(Instant::now(), clock::now());
        }
        let index = Index::default();
        if let Some(metadata) = &self.cached {
            let metadata = serde_json::from_value(metadata.clone()).unwrap();
            let object = PartialObjectMeta {
                metadata,
                ..PartialObjectMeta::default()
            };
            index.follow(&mut Pending::new(), &Event::Apply(object));
        }
        let (grants, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(self.grant.clone()))));
        let (identities, mut writer) = reflector::store();
        if let Some(identity) = self.identity.clone() {
            writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(identity))));
        }
        let (namespaces, mut writer) = reflector::store();
        let namespace = json!({"metadata": {"name": "team-a"}});
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value(namespace).unwrap()));
        let synced = Synced::new();
        for cache in [
            Cache::Grants,
            Cache::Identities,
            Cache::Namespaces,
            Cache::Secrets,
        ] {
            synced.mark(cache);
        }
        Arc::new(Context {
            writer: Writer::new(client.clone(), fence.clone()),
            publisher: Publisher::new(
                client.clone(),
                fence.clone(),
                "pod".to_owned(),
                Metrics::default(),
            ),
            client,
            fence,
            synced,
            index: Arc::new(index),
            sessions,
            grants,
            identities,
            namespaces,
            failures: Failures::default(),
            stumbles: Stumbles::default(),
            rechecks: Rechecks::new(mpsc::unbounded_channel().0),
            metrics: Metrics::default(),
            cluster: String::new(),
            min_interval: SignedDuration::from_mins(5),
        })
    }
}

fn status_of(asked: &Asked) -> AwsGrantStatus {
    serde_json::from_value(asked.body["status"].clone()).unwrap()
}

fn reasons(status: &AwsGrantStatus) -> Vec<(&str, &str, &str)> {
    let all = status.conditions.iter();
    all.map(|own| (own.type_.as_str(), own.status.as_str(), own.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn a_new_grant_gets_a_session_a_status_and_one_event() {
    let seen = World::new().look().await;
    assert_eq!(seen.sessions, 1);
    let expected = [
        format!("POST {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines(), expected);
    let status = seen.log.at(1);
    assert_eq!(status.body["metadata"]["uid"], "g-1");
    assert_eq!(reasons(&status_of(&status))[0], ("Ready", "True", "Issued"));
    assert_eq!(status.body["status"]["accessKeyId"], "ASIA1");
    let told = format!("{} {}", status.body, seen.log.at(2).body);
    assert!(
        !told.contains("s3cr3t") && !told.contains("tok3n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_restart_with_a_fresh_secret_asks_nobody_and_writes_nothing() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    let first = world.look().await;
    assert_eq!(
        (first.sessions, first.log.lines()[0].clone()),
        (0, format!("PATCH {STATUS}"))
    );
    world.grant.status = Some(status_of(&first.log.at(0)));
    let second = world.look().await;
    assert_eq!((second.sessions, second.log.lines()), (0, vec![]));
    assert_ne!(second.action, Action::await_change());
}

#[tokio::test]
async fn a_due_session_is_renewed_by_a_patch_of_the_uid() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(40));
    world.grant.status = Some(AwsGrantStatus::default());
    let seen = world.look().await;
    assert_eq!(seen.sessions, 1);
    assert_eq!(
        seen.log.lines()[..2],
        [format!("GET {SECRETS}"), format!("PATCH {SECRET}")]
    );
    assert_eq!(patched(&seen.log.at(1), "/metadata/uid"), "s-1");
}

#[tokio::test]
async fn a_cache_that_is_behind_costs_a_look_and_no_session() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.cached = World::new()
        .with_secret("g-1", SignedDuration::from_mins(40))
        .cached;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    assert_eq!(
        seen.log.lines()[..2],
        [format!("GET {SECRETS}"), format!("PATCH {STATUS}")]
    );
}

#[tokio::test]
async fn a_foreign_secret_is_not_touched_and_costs_no_session() {
    let mut world = World::new();
    world.live = Some(json!({"name": "bedrock-aws", "namespace": "team-a", "uid": "x"}));
    let pending = json!({"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Pending",
        "message": "", "lastTransitionTime": "2026-11-22T04:00:00Z"}]});
    world.grant.status = Some(serde_json::from_value(pending).unwrap());
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines(), expected);
    assert_eq!(
        reasons(&status_of(&seen.log.at(1)))[0],
        ("Ready", "False", "SecretConflict")
    );
}

#[tokio::test]
async fn the_secret_of_a_grant_that_is_gone_is_taken_over() {
    let mut world = World::new().with_secret("g-0", SignedDuration::from_mins(1));
    world.grant.status = None;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 1);
    let patch = seen.log.at(1);
    assert_eq!(patch.path, SECRET);
    assert_eq!(patched(&patch, "/metadata/uid"), "s-1");
    assert_eq!(
        patched(&patch, "/metadata/annotations")[secret::GRANT_UID],
        "g-1"
    );
}

#[tokio::test]
async fn suspending_leaves_grant_json_alone() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.grant.spec.suspend = true;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    let patch = seen.log.at(1);
    let data = patched(&patch, "/data");
    let keys: Vec<_> = data.as_object().unwrap().keys().collect();
    assert_eq!(patch.path, SECRET);
    assert_eq!(keys, ["grant.json"]);
    let status = status_of(&seen.log.at(2));
    assert_eq!(reasons(&status)[0], ("Ready", "False", "Suspended"));
    assert_eq!((status.access_key_id, status.expiration), (None, None));
}

#[tokio::test]
async fn what_aws_refuses_is_told_once_and_keeps_the_session() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(40));
    world.refuses = true;
    let seen = world.look().await;
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines()[..3], expected);
    let status = status_of(&seen.log.at(1));
    assert_eq!(reasons(&status)[0], ("Ready", "True", "Issued"));
    assert_eq!(reasons(&status)[1], ("Refreshed", "False", "InvalidSpec"));
    assert!(status.expiration.is_some());
}

#[tokio::test]
async fn an_expired_session_that_is_not_renewed_loses_its_keys() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(61));
    world.identity = None;
    let seen = world.look().await;
    let patch = seen.log.at(1);
    assert_eq!(patched(&patch, "/data").as_object().unwrap().len(), 1);
    assert_eq!(
        patched(&patch, "/metadata/annotations")[secret::REVOKED_REASON],
        "Expired"
    );
    assert_eq!(
        reasons(&status_of(&seen.log.at(2)))[0],
        ("Ready", "False", "Expired")
    );
}

#[tokio::test]
async fn an_identity_that_was_just_edited_changes_no_status_for_a_moment() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    let first = world.look().await;
    world.grant.status = Some(status_of(&first.log.at(0)));
    world.identity.as_mut().unwrap().metadata.generation = Some(2);
    assert_eq!(world.look().await.log.lines(), [""; 0]);
}

#[tokio::test]
async fn one_that_does_not_lead_does_nothing() {
    let world = World {
        leads: false,
        ..World::new()
    };
    let seen = world.look().await;
    assert_eq!((seen.sessions, seen.log.lines()), (0, vec![]));
    assert_eq!(seen.action, Action::await_change());
    assert_eq!(seen.log.text(), "[]");
}
