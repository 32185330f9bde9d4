//! The broker's router between a scripted API server and a scripted AWS, and pods that ask it.

#![allow(clippy::unwrap_used, reason = "in what the tests share")]

use alter_broker::{
    answer::Desk,
    authenticate::Authenticator,
    cluster::{Cluster, Fillers},
    metrics::Metrics,
    router::{App, router},
    sessions::{Sessions, Source},
};
use alter_crds::{AwsGrant, AwsIdentity};
use alter_issuer::{
    IssueError, Issued, Pod,
    request::{self, SessionRequest},
};
use alter_protocol::{
    Session,
    broker::{Answer, Asked, News, PATH, Question, Told},
};
use alter_runtime::watch::Scope;
use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body as KubeBody, runtime::watcher::Event};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::RwLock;
use tower::ServiceExt;

/// AWS: a session of an hour for whatever is asked, with its name as the access key id.
#[derive(Clone, Default)]
pub(super) struct Aws {
    pub(super) asked: Arc<AtomicU32>,
    pub(super) refuses: Arc<Mutex<bool>>,
    /// It answers nobody while this is held.
    pub(super) busy: Arc<RwLock<()>>,
}

impl Source for Aws {
    async fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
        pod: Pod<'_>,
    ) -> Result<Issued, IssueError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _free = self.busy.read().await;
        if *self.refuses.lock().unwrap() {
            return Err(IssueError::NoSource {
                identity: "default".to_owned(),
            });
        }
        let planned = request::plan(identity, grant, "", Some(pod))?;
        let SessionRequest::Role { role, .. } = planned else {
            panic!("{planned:?}");
        };
        Ok(Issued {
            session: Session {
                access_key_id: role.session_name,
                secret_access_key: "s3cr3t".to_owned().into(),
                session_token: "tok3n".to_owned().into(),
                expiration: now() + SignedDuration::from_hours(1),
            },
            assumed_role_arn: "arn".to_owned(),
            source_identity: None,
        })
    }
}

#[allow(clippy::disallowed_methods, reason = "the broker lives by the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

pub(super) struct World {
    pub(super) router: Router,
    pub(super) aws: Aws,
    pub(super) fillers: Fillers,
    pub(super) registry: Registry,
    pub(super) reviews: Arc<AtomicU32>,
    /// Tokens that the API server knows no more.
    pub(super) forgotten: Arc<Mutex<Vec<String>>>,
}

/// `team-a/bedrock`, with changes to its spec.
pub(super) fn grant(namespace: &str, spec: &Value) -> AwsGrant {
    let mut whole = json!({
        "roleArn": "arn:aws:iam::111122223333:role/team", "region": "us-east-1", "store": "Broker",
    });
    let fields = whole.as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {"name": "bedrock", "namespace": namespace, "uid": format!("g-{namespace}")},
        "spec": whole,
    }))
    .unwrap()
}

/// `default`, which allows the broker in every namespace.
pub(super) fn identity(session: &Value) -> AwsIdentity {
    serde_json::from_value(json!({
        "metadata": {"name": "default", "generation": 1},
        "spec": {
            "region": "us-east-1",
            "credentials": {"ambient": {}},
            "session": session,
            "allow": [{
                "namespaces": {"selector": {}},
                "roleArns": ["arn:aws:iam::111122223333:role/team"],
                "stores": ["Broker"],
            }],
        },
        "status": {
            "observedGeneration": 1,
            "arn": "arn:aws:iam::111122223333:user/alter",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Identified", "message": "m",
                "lastTransitionTime": "2026-11-22T03:30:00Z",
            }],
        },
    }))
    .unwrap()
}

/// Metadata of a pod.
pub(super) fn pod(namespace: &str, name: &str, uid: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "uid": uid}})
}

/// A token of a pod: what the API server would say of it stands in it.
pub(super) fn token(namespace: &str, account: &str, pod: &str, uid: &str) -> String {
    let end = now().as_second() + 3_600;
    token_of(&json!({
        "aud": ["alter.dev"], "exp": end,
        "user": format!("system:serviceaccount:{namespace}:{account}"), "pod": pod, "uid": uid,
    }))
}

pub(super) fn token_of(claims: &Value) -> String {
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// As the API server answers when it is asked about such a token.
fn review(token: &str, is_forgotten: bool) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let status = json!({
        "authenticated": !is_forgotten,
        "audiences": claims["aud"],
        "user": {"username": claims["user"], "extra": {
            "authentication.kubernetes.io/pod-name": [claims["pod"]],
            "authentication.kubernetes.io/pod-uid": [claims["uid"]],
        }},
    });
    json!({"metadata": {}, "spec": {}, "status": status})
}

impl World {
    /// With one grant in each of two namespaces, and the pod `team-a/app-1` of the UID `u-1`.
    pub(super) fn new(session: &Value) -> Self {
        let (cluster, mut fillers) = Cluster::new(Scope::Cluster);
        for namespace in ["team-a", "team-b"] {
            fill(
                &mut fillers,
                |own| &mut own.grants,
                guarded(grant(namespace, &json!({}))),
            );
            let object = json!({"metadata": {"name": namespace}});
            let object = serde_json::from_value(object).unwrap();
            fill(&mut fillers, |own| &mut own.namespaces, object);
        }
        fill(
            &mut fillers,
            |own| &mut own.identities,
            guarded(identity(session)),
        );
        let object = serde_json::from_value(pod("team-a", "app-1", "u-1")).unwrap();
        fill(&mut fillers, |own| &mut own.pods, object);
        let (aws, reviews) = (Aws::default(), Arc::<AtomicU32>::default());
        let forgotten = Arc::<Mutex<Vec<String>>>::default();
        let client = api_server(reviews.clone(), forgotten.clone());
        let mut registry = Registry::with_prefix("alter_broker");
        let metrics = Metrics::register(&mut registry);
        let interval = SignedDuration::from_mins(5);
        let desk = Desk {
            cluster,
            sessions: Sessions::new(aws.clone(), interval, metrics.sessions.clone()),
            name: String::new(),
        };
        let app = App::new(desk, Authenticator::new(client), metrics);
        Self {
            router: router(Arc::new(app)),
            aws,
            fillers,
            registry,
            reviews,
            forgotten,
        }
    }

    pub(super) fn grant_becomes(&mut self, grant: AwsGrant) {
        self.fillers.grants.take(&Event::Apply(guarded(grant)));
    }

    pub(super) fn identity_becomes(&mut self, identity: AwsIdentity) {
        self.fillers
            .identities
            .take(&Event::Apply(guarded(identity)));
    }

    pub(super) fn pod_comes(&mut self, object: Value) {
        let object = serde_json::from_value(object).unwrap();
        self.fillers.pods.take(&Event::Apply(object));
    }

    pub(super) fn pod_goes(&mut self, object: Value) {
        let object = serde_json::from_value(object).unwrap();
        self.fillers.pods.take(&Event::Delete(object));
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// A pod that asks, which may outlive the borrow.
    pub(super) fn agent(&self, token: &str) -> Agent {
        Agent {
            router: self.router.clone(),
            token: token.to_owned(),
        }
    }
}

fn guarded<K>(object: K) -> kube::core::DeserializeGuard<K> {
    kube::core::DeserializeGuard(Ok(object))
}

fn fill<K>(
    fillers: &mut Fillers,
    of: impl Fn(&mut Fillers) -> &mut alter_broker::cluster::Filler<K>,
    object: K,
) where
    K: kube::Resource + Clone + 'static,
    K::DynamicType: Default + Eq + std::hash::Hash + Clone,
{
    of(fillers).take(&Event::Apply(object));
}

fn api_server(reviews: Arc<AtomicU32>, forgotten: Arc<Mutex<Vec<String>>>) -> Client {
    let service = tower::service_fn(move |request: Request<KubeBody>| {
        let (reviews, forgotten) = (reviews.clone(), forgotten.clone());
        async move {
            assert_eq!(
                request.uri().path(),
                "/apis/authentication.k8s.io/v1/tokenreviews"
            );
            let body = request.into_body().collect().await?.to_bytes();
            let asked: Value = serde_json::from_slice(&body)?;
            assert_eq!(asked["spec"]["audiences"], json!(["alter.dev"]));
            let token = asked["spec"]["token"].as_str().unwrap().to_owned();
            reviews.fetch_add(1, Ordering::SeqCst);
            let answer = review(&token, forgotten.lock().unwrap().contains(&token));
            let body = Full::new(Bytes::from(answer.to_string()));
            let response = Response::builder().status(StatusCode::CREATED).body(body);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response?)
        }
    });
    Client::new(service, "default")
}

/// An agent, which knows what it was told.
#[derive(Clone)]
pub(super) struct Agent {
    router: Router,
    token: String,
}

impl Agent {
    pub(super) async fn send(&self, body: String) -> (StatusCode, String) {
        let request = Request::post(PATH)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Body::from(body))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// What is new of `bedrock`, if anything.
    pub(super) async fn ask(&self, known: Option<&Told>) -> Option<Told> {
        let question = Question {
            grants: vec![Asked {
                grant: "bedrock".to_owned(),
                known: known.map(|told| told.tag.clone()),
            }],
        };
        let (status, body) = self.send(serde_json::to_string(&question).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let mut answer = Answer::from_json(body.as_bytes()).unwrap();
        answer.grants.pop()
    }

    /// The reason of a refusal.
    pub(super) async fn refused(&self, known: Option<&Told>) -> String {
        match self.ask(known).await.map(|told| told.news) {
            Some(News::Refused(why)) => why.reason,
            other => panic!("{other:?}"),
        }
    }

    /// The message with which the question was not answered.
    pub(super) async fn unanswered(&self, expected: StatusCode) -> String {
        let (status, body) = self
            .send(r#"{"grants":[{"grant":"bedrock"}]}"#.to_owned())
            .await;
        assert_eq!(status, expected, "{body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        problem["message"].as_str().unwrap().to_owned()
    }
}

/// The session's name, which stands in its access key id.
pub(super) fn session_name(told: &Told) -> &str {
    match &told.news {
        News::Session(issued) => &issued.session.access_key_id,
        other => panic!("{other:?}"),
    }
}
