use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

const ROLE: &str = "arn:aws:sts::111122223333:assumed-role/alter-broker";

/// AWS: one and the same role, by a session of another name each time; or nothing.
#[derive(Clone, Default)]
struct Aws {
    asked: Arc<AtomicU32>,
    fails: Arc<Mutex<bool>>,
}

impl Identify for Aws {
    async fn identify(&self, identity: &AwsIdentity) -> Result<Caller, IssueError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        if *self.fails.lock().unwrap() {
            let identity = identity.name_any();
            return Err(IssueError::NoSource { identity });
        }
        Ok(Caller {
            account_id: "111122223333".to_owned(),
            arn: format!("{ROLE}/{number}"),
        })
    }
}

/// Line and body of each.
type Requests = Arc<Mutex<Vec<(String, Value)>>>;

/// An API server that keeps what it was asked, and answers with that status.
fn api_server(status: u16) -> (Client, Requests) {
    let asked = Requests::default();
    let kept = asked.clone();
    let service = tower::service_fn(move |request: axum::http::Request<Body>| {
        let kept = kept.clone();
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await?.to_bytes();
            kept.lock()
                .unwrap()
                .push((line, serde_json::from_slice(&body)?));
            let answer = match status {
                200 => serde_json::to_vec(&identity(&json!({})))?,
                code => serde_json::to_vec(&json!({
                    "kind": "Status", "code": code, "status": "Failure", "reason": "Forbidden", "message": "no",
                }))?,
            };
            let answer = Full::new(Bytes::from(answer));
            let response = axum::http::Response::builder().status(status).body(answer);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response?)
        }
    });
    (Client::new(service, "default"), asked)
}

/// `default`, ready, which allows the broker; with more in its status.
fn identity(status: &Value) -> AwsIdentity {
    let mut whole = json!({
        "observedGeneration": 1,
        "since": "2026-11-22T03:30:00Z",
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Identified", "message": "m",
            "lastTransitionTime": "2026-11-22T03:30:00Z",
        }],
    });
    let fields = whole.as_object_mut().unwrap();
    fields.extend(status.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsIdentity",
        "metadata": {"name": "default", "uid": "i-1", "generation": 1},
        "spec": {
            "region": "us-east-1",
            "credentials": {"ambient": {}},
            "allow": [{
                "namespaces": {"names": ["team-a"]},
                "roleArns": ["arn:aws:iam::111122223333:role/team"],
                "stores": ["Broker"],
            }],
        },
        "status": whole,
    }))
    .unwrap()
}

fn told(arn: &str) -> AwsIdentity {
    identity(&json!({"brokerArn": arn}))
}

fn now() -> Timestamp {
    "2026-11-22T04:00:00Z".parse().unwrap()
}

fn known(arn: Option<&str>) -> Known {
    Known {
        of: Version::of(&identity(&json!({}))),
        arn: arn.map(str::to_owned),
        failures: 0,
        again: now() + FRESH,
    }
}

#[test]
fn aws_is_asked_at_first_when_something_changed_and_after_an_hour() {
    let own = known(Some("arn"));
    let step_at = |identity: &AwsIdentity, now| step(identity, Some(&own), now);
    assert_eq!(step(&told("arn"), None, now()), Step::Ask);
    assert_eq!(step_at(&told("arn"), now()), Step::Wait);
    assert_eq!(step_at(&told("arn"), own.again), Step::Ask);
    for change in [
        json!({"metadata": {"name": "default", "uid": "i-1", "generation": 2}}),
        json!({"metadata": {"name": "default", "uid": "i-2", "generation": 1}}),
        json!({"status": {"since": "2026-11-22T03:31:00Z"}}),
    ] {
        let mut changed = serde_json::to_value(told("arn")).unwrap();
        let fields = changed.as_object_mut().unwrap();
        fields.extend(change.as_object().unwrap().clone());
        let changed = serde_json::from_value(changed).unwrap();
        assert_eq!(step_at(&changed, now()), Step::Ask, "{change}");
    }
}

#[test]
fn what_was_lost_is_told_again_and_what_another_replica_wrote_is_left() {
    let own = known(Some("arn"));
    let lost = identity(&json!({}));
    let again = Step::Tell("arn".to_owned());
    assert_eq!(step(&lost, Some(&own), now()), again);
    // Two that write over each other would do so for ever.
    assert_eq!(step(&told("other"), Some(&own), now()), Step::Wait);
    let failed = known(None);
    assert_eq!(step(&lost, Some(&failed), now()), Step::Wait);
}

#[test]
fn only_identities_through_which_the_broker_gives_sessions_are_asked_about() {
    let own = identity(&json!({}));
    assert!(is_served(&own));
    let mut other = own.clone();
    other.spec.allow[0].stores.clear();
    assert!(!is_served(&other), "no rule names the broker");
    let mut other = own.clone();
    other.metadata.generation = Some(2);
    assert!(!is_served(&other), "not checked yet");
    let mut other = own.clone();
    other.status.as_mut().unwrap().conditions.clear();
    assert!(!is_served(&other), "not ready");
    let mut other = own;
    other.metadata.deletion_timestamp = Some(Time(now()));
    assert!(!is_served(&other), "it goes");
}

#[tokio::test]
async fn the_one_field_is_written_and_not_again_for_another_session_of_the_same_role() {
    let (client, requests) = api_server(200);
    let aws = Aws::default();
    let mut keeper = Keeper::new(client, aws.clone());
    keeper.pass(vec![&identity(&json!({}))]).await;
    let (line, body) = requests.lock().unwrap().pop().unwrap();
    assert_eq!(
        line,
        "PATCH /apis/alter.dev/v1alpha1/awsidentities/default/status?&force=true&fieldManager=alter-broker%2Fstatus"
    );
    let first = format!("{ROLE}/0");
    assert_eq!(body["status"], json!({"brokerArn": first}));
    assert_eq!(body["metadata"], json!({"name": "default"}));

    // What stands there now, by this replica or another.
    keeper.pass(vec![&told(&first)]).await;
    let mut other = Keeper::new(api_server(500).0, aws.clone());
    other.pass(vec![&told(&first)]).await;
    assert_eq!(other.known["default"].failures, 0, "it wrote nothing");
    assert_eq!(requests.lock().unwrap().len(), 0);
    assert_eq!(aws.asked.load(Ordering::SeqCst), 2, "once each");

    // The operator wrote the status without having seen it.
    keeper.pass(vec![&identity(&json!({}))]).await;
    let (_, body) = requests.lock().unwrap().pop().unwrap();
    assert_eq!(body["status"], json!({"brokerArn": first}));
    assert_eq!(aws.asked.load(Ordering::SeqCst), 2);

    keeper.pass(Vec::new()).await;
    assert!(keeper.known.is_empty());
}

#[tokio::test]
async fn what_failed_is_tried_later_and_keeps_no_other_waiting() {
    let aws = Aws::default();
    *aws.fails.lock().unwrap() = true;
    let (client, requests) = api_server(200);
    let mut keeper = Keeper::new(client, aws.clone());
    for _ in 0..3 {
        keeper.pass(vec![&identity(&json!({}))]).await;
    }
    assert_eq!(aws.asked.load(Ordering::SeqCst), 1);
    assert!(requests.lock().unwrap().is_empty());
    let mut second = identity(&json!({}));
    second.metadata.name = Some("second".to_owned());
    *aws.fails.lock().unwrap() = false;
    keeper.pass(vec![&identity(&json!({})), &second]).await;
    assert_eq!(requests.lock().unwrap().len(), 1);
    assert_eq!(keeper.known["default"].arn, None);

    let (client, requests) = api_server(403);
    let mut refused = Keeper::new(client, aws);
    for _ in 0..3 {
        refused.pass(vec![&identity(&json!({}))]).await;
    }
    assert_eq!(requests.lock().unwrap().len(), 1);
    assert!(refused.known["default"].again > clock::now());
}
