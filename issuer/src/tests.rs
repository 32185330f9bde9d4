//! The issuer between a scripted API server and an STS on loopback.

mod access_key;
mod chain;
mod cluster;
mod revoke;
mod roles_anywhere;
mod web_identity;

use super::*;
use alter_aws::test_sts::{Answer, Call, TestSts};
use alter_crds::condition::reason;
use cluster::{Cluster, NEW, OLD, Stored};
use serde_json::json;
use std::{sync::Mutex, time::Duration};
use tokio::sync::Semaphore;

fn identity(sts: &TestSts) -> AwsIdentity {
    let spec = json!({
        "region": "us-east-1",
        "endpoints": {"sts": sts.url()},
        "credentials": {"accessKey": {"secretRef": {"name": "alter-key"}}},
    });
    AwsIdentity::new("default", serde_json::from_value(spec).unwrap())
}

fn grant(name: &str) -> AwsGrant {
    let spec = json!({"roleArn": "arn:aws:iam::111122223333:role/team-a", "region": "us-east-1"});
    let mut grant = AwsGrant::new(name, serde_json::from_value(spec).unwrap());
    grant.metadata.namespace = Some("team-a".to_owned());
    grant.metadata.uid = Some(format!("uid-of-{name}"));
    grant
}

/// An STS that tells everyone who they are, and else does as the script says.
async fn sts(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> TestSts {
    let script = move |call: &Call| {
        if call.identifies() {
            Answer::Success
        } else {
            script(call)
        }
    };
    TestSts::start(script).await.unwrap()
}

/// An STS that knows one key, which changes under it.
async fn strict_sts(known: &Arc<Mutex<&'static str>>) -> TestSts {
    let known = known.clone();
    sts(move |call| {
        if call.access_key_id == *known.lock().unwrap() {
            Answer::Success
        } else {
            Answer::Error(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
        }
    })
    .await
}

fn signers(sts: &TestSts) -> Vec<String> {
    let calls = sts.others().into_iter();
    calls.map(|call| call.access_key_id).collect()
}

/// Who asked whose their key is.
fn identified(sts: &TestSts) -> Vec<String> {
    let calls = sts.calls().into_iter();
    let asked = calls.filter(Call::identifies);
    asked.map(|call| call.access_key_id).collect()
}

fn metrics(issuer: &Issuer) -> String {
    let mut registry = prometheus_client::registry::Registry::with_prefix("alter");
    issuer.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test]
async fn a_session_is_issued_and_the_secret_read_once() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    assert!(!metrics(&issuer).contains("AssumeRole"));
    let session = issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(
        session.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/team-a/alter.team-a.a"
    );
    issuer.issue(&identity, &grant("b")).await.unwrap();
    assert_eq!(sts.others()[1].access_key_id, "AKIAOLD");
    assert_eq!(cluster.reads(), 1);
    let text = metrics(&issuer);
    let line =
        r#"alter_sts_calls_total{identity="default",operation="AssumeRole",outcome="Success"} 2"#;
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains("alter_sts_call_duration_seconds_count{operation=\"AssumeRole\"} 2"),
        "{text}"
    );
    assert!(
        text.contains("alter_sts_budget_wait_seconds_count{identity=\"default\"} 3"),
        "{text}"
    );
}

#[tokio::test]
async fn a_rotated_key_is_picked_up_when_the_old_one_goes() {
    let known = Arc::new(Mutex::new("AKIAOLD"));
    let (cluster, sts) = (Cluster::new(OLD), strict_sts(&known).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();

    cluster.store(NEW);
    *known.lock().unwrap() = "AKIANEW";
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.issue(&identity, &grant("b")).await.unwrap();
    assert_eq!(signers(&sts), ["AKIAOLD", "AKIAOLD", "AKIANEW", "AKIANEW"]);
    let text = metrics(&issuer);
    assert!(text.contains("outcome=\"SourceRejected\"} 1"), "{text}");
}

#[tokio::test]
async fn a_key_that_is_refused_is_tried_once_where_the_secret_holds_no_other() {
    let known = Arc::new(Mutex::new("AKIANEW"));
    let (cluster, sts) = (Cluster::new(OLD), strict_sts(&known).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_REJECTED);
    assert_eq!(
        error.to_string(),
        "AwsIdentity default: sts:AssumeRole of arn:aws:iam::111122223333:role/team-a failed: \
         InvalidClientTokenId: The security token included in the request is invalid; \
         write an access key that is active into the identity's Secret"
    );
    assert_eq!((sts.others().len(), cluster.reads()), (1, 2));

    cluster.store(Stored::Status(404));
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_NOT_FOUND);
}

#[tokio::test]
async fn identifying_reads_the_secret_anew() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    // In a task of its own, as a controller has it.
    let (own, asked) = (issuer.clone(), identity.clone());
    let task = tokio::spawn(async move { own.identify(&asked).await });
    let caller = task.await.unwrap().unwrap();
    assert_eq!(caller.account_id, "111122223333");
    cluster.store(NEW);
    issuer.identify(&identity).await.unwrap();
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(identified(&sts), ["AKIAOLD", "AKIANEW"]);
    assert_eq!(signers(&sts), ["AKIANEW"]);
    assert_eq!(cluster.reads(), 2);
    cluster.store(Stored::Status(404));
    let error = issuer.identify(&identity).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_NOT_FOUND);
}

#[tokio::test]
async fn a_namespace_that_asks_for_many_sessions_holds_no_other_up() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    // Whose the key is, and then one call after the other.
    let (issuer, identity) = (cluster.issuer_with(200.0, 1), identity(&sts));
    let many = (0..30).map(|n| grant(&format!("g{n}")));
    let mut other = grant("other");
    other.metadata.namespace = Some("team-b".to_owned());
    let grants: Vec<_> = many.chain([other]).collect();
    let all = grants.iter().map(|grant| issuer.issue(&identity, grant));
    for issued in futures::future::join_all(all).await {
        issued.unwrap();
    }
    let names = sts.others().into_iter();
    let mut names = names.map(|call| call.parameter("RoleSessionName").unwrap().to_owned());
    assert!(names.position(|name| name == "alter.team-b.other").unwrap() < 3);
}

#[tokio::test]
async fn forgetting_and_a_changed_spec_read_the_secret_anew() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, mut identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    cluster.store(NEW);
    issuer.forget("default");
    issuer.forget("unknown");
    issuer.issue(&identity, &grant("a")).await.unwrap();
    identity.spec.region = "eu-west-1".to_owned();
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(signers(&sts), ["AKIAOLD", "AKIANEW", "AKIANEW"]);
    assert_eq!(cluster.reads(), 3);
}

#[tokio::test]
async fn concurrent_callers_of_one_grant_share_one_call() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let (cluster, sts) = (
        Cluster::new(OLD),
        sts(move |_| Answer::Held(held.clone())).await,
    );
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let (a, b) = (grant("a"), grant("b"));
    let callers = (0..20).map(|_| issuer.issue(&identity, &a));
    let all = futures::future::join(
        futures::future::join_all(callers),
        issuer.issue(&identity, &b),
    );
    let release = async {
        // Once both calls have arrived, nothing that is to be shared is still on its way.
        while sts.others().len() < 2 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(1);
    };
    let both = async { tokio::join!(all, release) };
    let limit = Duration::from_secs(30);
    let ((answers, other), ()) = tokio::time::timeout(limit, both).await.unwrap();
    assert_eq!(sts.count("AssumeRole"), 2);
    let first = &answers[0].as_ref().unwrap().session.access_key_id;
    for answer in &answers {
        assert_eq!(&answer.as_ref().unwrap().session.access_key_id, first);
    }
    assert_ne!(&other.unwrap().session.access_key_id, first);
    assert_eq!(cluster.reads(), 1);
}

#[tokio::test]
async fn each_identity_has_a_budget_of_its_own_that_forgetting_does_not_fill() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    // Once, and then for years not again.
    let issuer = cluster.issuer_with(1e-9, 2);
    let identity = identity(&sts);
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.forget("default");
    let (b, c) = (grant("b"), grant("c"));
    let mut waits = Box::pin(issuer.issue(&identity, &b));
    // Each takes as many steps as the waiting call would need.
    let others = async {
        for name in ["one", "two", "three", "four", "five"] {
            let mut other = identity.clone();
            other.metadata.name = Some(name.to_owned());
            issuer.issue(&other, &c).await.unwrap();
        }
    };
    tokio::select! {
        _ = &mut waits => panic!("beyond the budget"),
        () = others => {}
    };
    assert!(futures::poll!(&mut waits).is_pending());
    assert_eq!(sts.others().len(), 6);
}

#[tokio::test]
async fn each_failure_has_its_reason_and_its_retry() {
    let backoff = |first, max| Retry::Backoff {
        first: Duration::from_secs(first),
        max: Duration::from_secs(max),
    };
    let later = |seconds| Retry::Later(Duration::from_secs(seconds));
    for (status, code, reason, retry) in [
        (400, "Throttling", reason::THROTTLED, backoff(1, 60)),
        (
            503,
            "ServiceUnavailable",
            reason::UNAVAILABLE,
            backoff(1, 60),
        ),
        (403, "AccessDenied", reason::ACCESS_DENIED, backoff(30, 300)),
        (
            403,
            "ExpiredToken",
            reason::SOURCE_REJECTED,
            backoff(5, 120),
        ),
        (400, "ValidationError", reason::INVALID_INPUT, later(600)),
    ] {
        let cluster = Cluster::new(OLD);
        let sts = sts(move |_| Answer::Error(status, code, "as AWS says it")).await;
        let issued = cluster.issuer().issue(&identity(&sts), &grant("a")).await;
        let error = issued.unwrap_err();
        assert_eq!(
            (error.category(), error.retry()),
            (reason, retry),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_not_to_be_had_is_named() {
    for (stored, category, text) in [
        (
            Stored::Status(404),
            reason::SOURCE_NOT_FOUND,
            "there is no Secret alter-key in namespace alter",
        ),
        (
            Stored::Status(403),
            reason::SOURCE_NOT_FOUND,
            "may not read Secret alter-key in namespace alter",
        ),
        (
            Stored::Status(500),
            reason::UNAVAILABLE,
            "as the API server says it",
        ),
        (
            Stored::Key("1", ""),
            reason::SOURCE_NOT_FOUND,
            "Secret alter-key in namespace alter has no text under the key accessKeyId",
        ),
    ] {
        let (cluster, sts) = (Cluster::new(stored), sts(|_| Answer::Success).await);
        let issued = cluster.issuer().issue(&identity(&sts), &grant("a")).await;
        let error = issued.unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(sts.others().is_empty());
    }
}

#[tokio::test]
async fn an_identity_without_a_source_and_a_broken_template_ask_nobody() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let issuer = cluster.issuer();
    let mut none = identity(&sts);
    none.spec.credentials = serde_json::from_value(json!({})).unwrap();
    let mut broken = identity(&sts);
    broken.spec.session = serde_json::from_value(json!({"name": "{node}"})).unwrap();
    for identity in [none, broken] {
        let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
        assert_eq!(error.category(), reason::INVALID_SPEC, "{error}");
        assert_eq!(error.retry(), Retry::Later(Duration::from_mins(10)));
    }
    assert_eq!((sts.others().len(), cluster.reads()), (0, 0));
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let (cluster, sts) = (
        Cluster::new(OLD),
        sts(|_| Answer::Error(403, "SignatureDoesNotMatch", "It does not match.")).await,
    );
    let issued = cluster.issuer().issue(&identity(&sts), &grant("a")).await;
    let error = issued.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
        "{shown}"
    );
}
