//! Revocations at AWS: an STS and an IAM on loopback.

use super::{
    cluster::{Cluster, NEW, OLD},
    *,
};
use alter_crds::revocation::{Order, order};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const BY: &str = "arn:aws:iam::111122223333:role/alter-revocation";
const NAME: &str = "alter-revocations";

fn revoking(sts: &TestSts) -> AwsIdentity {
    let mut identity = identity(sts);
    let spec = json!({
        "region": "us-east-1",
        "endpoints": {"sts": sts.url(), "iam": sts.url()},
        "credentials": identity.spec.credentials,
        "session": {"tags": {"enabled": true}},
        "revocation": {"roleArn": BY},
    });
    identity.spec = serde_json::from_value(spec).unwrap();
    identity
}

/// A time so many seconds ago, without a fraction.
fn ago(seconds: i64) -> Timestamp {
    let at = crate::clock::now() - SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap()
}

fn order_of(identity: &AwsIdentity, name: &str, cut: Timestamp) -> Order {
    order(identity, &grant(name), "", cut).unwrap()
}

fn actions(sts: &TestSts) -> Vec<String> {
    let calls = sts.others().into_iter();
    calls.map(|call| call.action).collect()
}

/// The grant and the time of each statement.
fn denied(sts: &TestSts) -> Vec<(String, String)> {
    let text = sts.role_policy("team-a", NAME).unwrap_or_default();
    let policy: Value = serde_json::from_str(&text).unwrap_or_default();
    let all = policy["Statement"].as_array().cloned().unwrap_or_default();
    let of = |own: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let condition = &own["Condition"];
        (
            text(&condition["StringEquals"]["aws:PrincipalTag/alter-grant"]),
            text(&condition["DateLessThan"]["aws:TokenIssueTime"]),
        )
    };
    all.iter().map(of).collect()
}

#[tokio::test]
async fn the_role_for_it_is_assumed_for_the_grants_role_alone_and_edits_its_policy() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), revoking(&sts));
    let cut = ago(60);
    let order = order_of(&identity, "a", cut);
    issuer.revoke(&identity, &order).await.unwrap();
    assert_eq!(
        actions(&sts),
        ["AssumeRole", "GetRolePolicy", "PutRolePolicy"]
    );
    let calls = sts.others();
    assert_eq!(calls[0].parameter("RoleArn"), Some(BY));
    assert_eq!(
        calls[0].parameter("RoleSessionName"),
        Some("alter.revocation")
    );
    assert_eq!(calls[0].parameter("DurationSeconds"), Some("900"));
    let policy: Value = serde_json::from_str(calls[0].parameter("Policy").unwrap()).unwrap();
    let role = "arn:aws:iam::111122223333:role/team-a";
    assert_eq!(policy["Statement"][0]["Resource"], role);
    for call in &calls[1..] {
        assert_eq!(call.access_key_id, "ASIATEST0");
        assert_eq!(call.parameter("RoleName"), Some("team-a"));
    }
    assert_eq!(denied(&sts), [("a".to_owned(), cut.to_string())]);

    // Once more, as after a restart: it stands there.
    cluster.issuer().revoke(&identity, &order).await.unwrap();
    assert_eq!(actions(&sts)[3..], ["AssumeRole", "GetRolePolicy"]);
    let text = metrics(&issuer);
    for operation in ["AssumeRole", "GetRolePolicy", "PutRolePolicy"] {
        let line = format!(r#"operation="{operation}",outcome="Success"}} 1"#);
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test]
async fn grants_of_one_role_are_told_one_after_the_other_and_none_is_lost() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), revoking(&sts));
    let cut = ago(60);
    let orders: Vec<_> = (0..12)
        .map(|i| order_of(&identity, &format!("g{i}"), cut))
        .collect();
    let told = orders.iter().map(|order| issuer.revoke(&identity, order));
    for outcome in futures::future::join_all(told).await {
        outcome.unwrap();
    }
    assert_eq!(denied(&sts).len(), 12);
}

/// IAM answers for some seconds with what stood there before.
#[tokio::test]
async fn what_iam_does_not_show_yet_is_not_lost() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), revoking(&sts));
    let cut = ago(60);
    issuer
        .revoke(&identity, &order_of(&identity, "a", cut))
        .await
        .unwrap();
    sts.put_role_policy("team-a", NAME, r#"{"Version":"2012-10-17","Statement":[]}"#);
    issuer
        .revoke(&identity, &order_of(&identity, "b", cut))
        .await
        .unwrap();
    let grants: Vec<_> = denied(&sts).into_iter().map(|(grant, _)| grant).collect();
    assert_eq!(grants, ["a", "b"]);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_left_alone() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), revoking(&sts));
    sts.put_role_policy("team-a", NAME, "{");
    let order = order_of(&identity, "a", ago(60));
    let error = issuer.revoke(&identity, &order).await.unwrap_err();
    assert_eq!(error.category(), reason::ROLE_POLICY_REFUSED);
    assert_eq!(error.retry(), Retry::Later(Duration::from_mins(10)));
    let text = error.to_string();
    assert!(
        text.contains(
            "policy alter-revocations on arn:aws:iam::111122223333:role/team-a was left alone"
        ),
        "{text}"
    );
    assert_eq!(sts.role_policy("team-a", NAME).as_deref(), Some("{"));
}

#[tokio::test]
async fn what_aws_refuses_is_told_by_its_class() {
    for (action, status, code, category, word) in [
        ("AssumeRole", 403, "AccessDenied", reason::ACCESS_DENIED, BY),
        (
            "GetRolePolicy",
            403,
            "AccessDenied",
            reason::ACCESS_DENIED,
            "allow iam:GetRolePolicy",
        ),
        (
            "PutRolePolicy",
            409,
            "LimitExceeded",
            reason::ROLE_POLICY_REFUSED,
            "10,240",
        ),
        (
            "PutRolePolicy",
            400,
            "Throttling",
            reason::THROTTLED,
            "asks again",
        ),
        (
            "PutRolePolicy",
            500,
            "ServiceFailure",
            reason::UNAVAILABLE,
            "asks again",
        ),
        (
            "PutRolePolicy",
            404,
            "NoSuchEntity",
            reason::INVALID_INPUT,
            "see that the role exists",
        ),
    ] {
        let sts = sts(move |call| {
            if call.action == action {
                Answer::Error(status, code, "no")
            } else {
                Answer::Success
            }
        })
        .await;
        let (cluster, identity) = (Cluster::new(OLD), revoking(&sts));
        let order = order_of(&identity, "a", ago(60));
        let error = cluster
            .issuer()
            .revoke(&identity, &order)
            .await
            .unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!error.to_string().contains("secret-"), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_was_rotated_meanwhile_is_picked_up() {
    let key = Arc::new(Mutex::new("AKIANEW"));
    let known = key.clone();
    let sts = sts(move |call| {
        let is_session = call.access_key_id.starts_with("ASIATEST");
        if is_session || call.access_key_id == *known.lock().unwrap() {
            Answer::Success
        } else {
            Answer::Error(403, "InvalidClientTokenId", "no")
        }
    })
    .await;
    let (cluster, identity) = (Cluster::new(OLD), revoking(&sts));
    let issuer = cluster.issuer();
    let order = order_of(&identity, "a", ago(60));
    assert!(issuer.revoke(&identity, &order).await.is_err());
    cluster.store(NEW);
    issuer.revoke(&identity, &order).await.unwrap();
    assert_eq!(denied(&sts).len(), 1);
}

#[tokio::test]
async fn every_call_waits_for_the_identitys_budget() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    // Two calls, and then for years none.
    let issuer = cluster.issuer_with(1e-9, 3);
    let identity = revoking(&sts);
    let order = order_of(&identity, "a", ago(60));
    let told = issuer.revoke(&identity, &order);
    let arrived = async {
        while sts.others().len() < 2 {
            tokio::task::yield_now().await;
        }
        // As many steps as the third would need.
        let mut other = identity.clone();
        other.metadata.name = Some("other".to_owned());
        issuer.issue(&other, &grant("b")).await.unwrap();
    };
    tokio::select! {
        _ = told => panic!("beyond the budget"),
        () = arrived => {}
    };
    assert_eq!(sts.count("PutRolePolicy"), 0);
}
