//! One grant, its identity and its Secret, between a scripted API server and a scripted AWS.

use super::{allowance::Allowances, kept::Kept, reconcile::reconcile, told::Told, turns::Turns};
use crate::{
    backoff::Stumbles,
    clock,
    context::{Context, Rechecks, Sessions},
    events::Publisher,
    failures::Failures,
    fixtures,
    lease::Fence,
    metrics::Metrics,
    pods::{Orphans, Users},
    revocation::{self, Job, Revocations},
    scripted::{self, Asked, Log, list, patched, refusal, stored},
    session_secret::{Index, Writer, index::Pending},
    watch::{Cache, Synced},
};
use alter_crds::{
    AwsGrant, AwsGrantStatus, AwsIdentity,
    names::{pod, secret},
    revocation::Order,
};
use alter_issuer::{
    Caller, IssueError, Issued, RevokeError,
    lookup::{Labels, Lookup, look_up},
};
use alter_protocol::session::rfc3339;
use alter_runtime::watch::Scope;
use jiff::SignedDuration;
use kube::{
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{reflector, watcher::Event},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

pub(super) const SECRETS: &str = "/api/v1/namespaces/team-a/secrets";
pub(super) const SECRET: &str = "/api/v1/namespaces/team-a/secrets/bedrock-aws";
pub(super) const STATUS: &str =
    "/apis/alter.dev/v1alpha1/namespaces/team-a/awsgrants/bedrock/status";
pub(super) const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/team-a/events";
/// So many grants are looked at side by side.
pub(super) const SLOTS: u16 = 4;
/// An identity whose STS never answers.
pub(super) const HANGING: &str = "hanging";
/// An identity whose service account is gone.
pub(super) const LOST: &str = "lost";
/// The identity whose STS answers in the second after it was asked.
pub(super) const SLOW: &str = "slow";

/// AWS: a session of an hour each time, a refusal, or silence.
#[derive(Default)]
pub(crate) struct Aws {
    asked: AtomicU32,
    refuses: bool,
    told: Mutex<Vec<Order>>,
}

impl Sessions for Arc<Aws> {
    async fn issue(&self, identity: &AwsIdentity, _: &AwsGrant) -> Result<Issued, IssueError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if identity.metadata.name.as_deref() == Some(HANGING) {
            std::future::pending::<()>().await;
        }
        if identity.metadata.name.as_deref() == Some(SLOW) {
            let asked_at = clock::now().as_second();
            while clock::now().as_second() == asked_at {
                tokio::task::yield_now().await;
            }
        }
        if identity.metadata.name.as_deref() == Some(LOST) {
            return Err(IssueError::ServiceAccountMissing {
                identity: LOST.to_owned(),
                namespace: "alter".to_owned(),
                name: "alter-aws".to_owned(),
            });
        }
        if self.refuses {
            return Err(IssueError::NoSource {
                identity: "default".to_owned(),
            });
        }
        Ok(Issued {
            session: fixtures::session(&rfc3339(clock::now() + SignedDuration::from_hours(1))),
            assumed_role_arn: "arn:aws:sts::111122223333:assumed-role/r/s".to_owned(),
            source_identity: None,
        })
    }

    async fn identify(&self, _: &AwsIdentity) -> Result<Caller, IssueError> {
        unreachable!("grants ask for sessions")
    }

    async fn revoke(&self, _: &AwsIdentity, order: &Order) -> Result<(), RevokeError> {
        self.told.lock().unwrap().push(order.clone());
        if self.refuses {
            return Err(RevokeError::Assume(IssueError::NoSource {
                identity: "default".to_owned(),
            }));
        }
        Ok(())
    }

    fn forget(&self, _: &str) {}
}

#[allow(
    clippy::struct_excessive_bools,
    reason = "what may be the matter, one by one"
)]
pub(crate) struct World {
    pub(crate) grant: AwsGrant,
    pub(super) identity: Option<AwsIdentity>,
    /// Metadata of the grant's Secret, as the cache has it and as the API server does.
    pub(super) cached: Option<Value>,
    pub(super) live: Option<Value>,
    /// Whether the Secret of the API server is of another type than a session's.
    pub(super) other_type: bool,
    /// Method and status of requests for Secrets that the API server refuses.
    pub(super) broken: Option<(&'static str, u16)>,
    pub(super) refuses: bool,
    pub(super) leads: bool,
    pub(super) has_broker: bool,
}

pub(super) struct Seen {
    pub(super) log: Log,
    pub(super) sessions: u32,
    pub(super) wait: Option<Duration>,
}

/// The operator, which remembers from look to look.
pub(super) struct Running {
    pub(super) log: Log,
    pub(super) context: Arc<Context<Arc<Aws>>>,
    jobs: tokio::sync::Mutex<mpsc::UnboundedReceiver<Job>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            grant: fixtures::grant(),
            identity: Some(fixtures::identity()),
            cached: None,
            live: None,
            other_type: false,
            broken: None,
            refuses: false,
            leads: true,
            has_broker: true,
        }
    }

    /// With the Secret of an earlier look, by `grant_uid`, whose session was issued so long ago.
    pub(super) fn with_secret(mut self, grant_uid: &str, age: SignedDuration) -> Self {
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
        let labels = BTreeMap::new();
        match look_up(
            self.identity.as_ref(),
            Labels::Seen(&labels),
            &self.grant,
            "",
            None,
        ) {
            Lookup::Ready { digest, .. } => digest,
            other => panic!("{other:?}"),
        }
    }

    /// One look by an operator that has just started.
    pub(super) async fn look(&self) -> Seen {
        let running = self.start();
        let wait = running.look(&self.grant).await;
        Seen {
            wait,
            sessions: running.sessions(),
            log: running.log,
        }
    }

    pub(super) fn start(&self) -> Running {
        let (live, other_type, broken) = (self.live.clone(), self.other_type, self.broken);
        let (client, log) = scripted::api(move |asked: &Asked| {
            if let Some((method, code)) = broken
                && asked.method == method
                && asked.path.starts_with(SECRETS)
            {
                return refusal(code, "InternalError");
            }
            match asked.method.as_str() {
                "GET" if other_type && asked.query.contains("type%3D") => list(&[]),
                "GET" => list(live.as_slice()),
                "POST" if asked.path == EVENTS => (201, asked.body.clone()),
                _ => stored(asked),
            }
        });
        let aws = Arc::new(Aws {
            refuses: self.refuses,
            ..Aws::default()
        });
        let (revoke, jobs) = mpsc::unbounded_channel();
        Running {
            log,
            context: self.context_with(client, aws, revoke),
            jobs: jobs.into(),
        }
    }

    pub(crate) fn context(
        &self,
        client: kube::Client,
        sessions: Arc<Aws>,
    ) -> Arc<Context<Arc<Aws>>> {
        self.context_with(client, sessions, mpsc::unbounded_channel().0)
    }

    fn context_with(
        &self,
        client: kube::Client,
        sessions: Arc<Aws>,
        revoke: mpsc::UnboundedSender<Job>,
    ) -> Arc<Context<Arc<Aws>>> {
        let fence = Fence::new();
        if self.leads {
            fence.open(Instant::now(), clock::now());
        }
        let index = Index::default();
        if let Some(metadata) = &self.cached {
            index.follow(&mut Pending::new(), &Event::Apply(object(metadata)));
        }
        let (grants, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Apply(
            DeserializeGuard(Ok(self.grant.clone())).into(),
        ));
        let (identities, mut writer) = reflector::store();
        if let Some(identity) = self.identity.clone() {
            let named = |name: &str| {
                let mut other = identity.clone();
                other.metadata.name = Some(name.to_owned());
                other
            };
            for identity in [named(HANGING), named(LOST), named(SLOW), identity] {
                writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(identity))));
            }
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
        let min_interval = SignedDuration::from_mins(5);
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
            scope: Scope::Cluster,
            failures: Failures::default(),
            allowances: Allowances::new(min_interval),
            turns: Turns::new(SLOTS),
            told: Told::default(),
            stumbles: Stumbles::default(),
            revocations: Revocations::new(revoke, min_interval),
            rechecks: Rechecks::new(mpsc::unbounded_channel().0),
            metrics: Metrics::default(),
            cluster: String::new(),
            due: crate::due::due().0,
            min_interval,
            has_broker: self.has_broker,
            users: Users::new(&Scope::Cluster),
            orphans: Orphans::default(),
            grants_changed: Arc::default(),
        })
    }
}

impl Running {
    pub(super) async fn look(&self, grant: &AwsGrant) -> Option<Duration> {
        let object = Kept::from(DeserializeGuard(Ok(grant.clone())));
        reconcile(&object, &self.context).await.unwrap()
    }

    /// How often AWS was asked for one.
    pub(super) fn sessions(&self) -> u32 {
        self.context.sessions.asked.load(Ordering::Relaxed)
    }

    /// Tells AWS of what was handed over; gives all that it was told so far.
    pub(super) async fn tell_aws(&self) -> Vec<Order> {
        let mut jobs = self.jobs.lock().await;
        while let Ok(job) = jobs.try_recv() {
            revocation::queue::tell(&self.context, job).await;
        }
        self.context.sessions.told.lock().unwrap().clone()
    }

    /// The status that was written last.
    pub(super) fn status(&self) -> AwsGrantStatus {
        let lines = self.log.lines();
        let last = lines.iter().rposition(|line| line.ends_with("/status"));
        status_of(&self.log.at(last.unwrap()))
    }

    /// All pods are known: the one there is, if any, has this annotation.
    pub(super) fn pods_are(&self, annotation: Option<&str>) {
        let users = &self.context.users;
        users.found_unlabelled(Some(HashSet::new()));
        users.follow(0, &Event::Init);
        if let Some(text) = annotation {
            let metadata = json!({"name": "app", "namespace": "team-a", "uid": "p-1",
                "annotations": {(pod::GRANT): text}});
            let pod = serde_json::from_value(json!({"metadata": metadata}));
            users.follow(0, &Event::InitApply(pod.unwrap()));
        }
        users.follow(0, &Event::InitDone);
    }

    /// The watch tells that someone removed the grant's Secret.
    pub(super) fn secret_goes(&self) {
        let metadata = serde_json::to_value(fixtures::secret_metadata("g-1")).unwrap();
        let gone = Event::Delete(object(&metadata));
        self.context.index.follow(&mut Pending::new(), &gone);
    }
}

fn object(metadata: &Value) -> PartialObjectMeta<k8s_openapi::api::core::v1::Secret> {
    PartialObjectMeta {
        metadata: serde_json::from_value(metadata.clone()).unwrap(),
        ..PartialObjectMeta::default()
    }
}

pub(super) fn status_of(asked: &Asked) -> AwsGrantStatus {
    serde_json::from_value(patched(asked, "/status")).unwrap()
}

pub(super) fn reasons(status: &AwsGrantStatus) -> Vec<(&str, &str, &str)> {
    let all = status.conditions.iter();
    all.map(|own| (own.type_.as_str(), own.status.as_str(), own.reason.as_str()))
        .collect()
}
