//! Identities whose role is entered by a token of a service account.

use super::{
    cluster::{Account, Cluster, OLD},
    grant, identity as with_key, metrics, sts,
};
use crate::{AwsIdentity, IssueError, Issuer, term::Term};
use alter_aws::test_sts::{Answer, Call, TestSts};
use alter_crds::condition::reason;
use jiff::SignedDuration;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/path/alter";

fn identity(sts: &TestSts) -> AwsIdentity {
    let mut identity = with_key(sts);
    let credentials = json!({"webIdentity": {
        "roleArn": OWN_ROLE, "audience": "aws", "serviceAccountRef": {"name": "alter-aws"},
    }});
    identity.spec.credentials = serde_json::from_value(credentials).unwrap();
    identity
}

fn actions(sts: &TestSts) -> Vec<String> {
    let calls = sts.others().into_iter();
    calls.map(|call| call.action).collect()
}

fn in_minutes(minutes: i64) -> String {
    (crate::clock::now() + SignedDuration::from_mins(minutes)).to_string()
}

/// Sessions of the identity's own role end in so many minutes; `refused` says which actions are denied.
async fn short_sts(minutes: i64, refused: &Arc<Mutex<Vec<&'static str>>>) -> TestSts {
    let refused = refused.clone();
    sts(move |call: &Call| {
        if refused.lock().unwrap().contains(&call.action.as_str()) {
            return Answer::Error(403, "AccessDenied", "as AWS says it");
        }
        Answer::Until(in_minutes(minutes))
    })
    .await
}

#[tokio::test]
async fn a_token_buys_a_session_through_which_roles_are_assumed() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.issue(&identity, &grant("b")).await.unwrap();
    assert_eq!(
        actions(&sts),
        ["AssumeRoleWithWebIdentity", "AssumeRole", "AssumeRole"]
    );
    let calls = sts.others();
    assert_eq!(calls[0].access_key_id, "", "no key signs it");
    assert_eq!(calls[0].parameter("WebIdentityToken"), Some("hunter-0"));
    assert_eq!(calls[0].parameter("RoleArn"), Some(OWN_ROLE));
    assert_eq!(calls[0].parameter("RoleSessionName"), Some("alter.default"));
    assert_eq!(calls[0].parameter("DurationSeconds"), Some("3600"));
    assert_eq!(calls[2].access_key_id, "ASIATEST0");
    let asked = cluster.tokens();
    let spec = json!({"audiences": ["aws"], "expirationSeconds": 600});
    assert_eq!(asked, [spec]);
    assert_eq!(cluster.reads(), 0, "no Secret is read");
    let text = metrics(&issuer);
    let line = r#"alter_sts_calls_total{identity="default",operation="AssumeRoleWithWebIdentity",outcome="Success"} 1"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn aws_says_that_such_an_identity_is_a_session() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let caller = issuer.identify(&identity).await.unwrap();
    assert_eq!(
        caller.arn,
        "arn:aws:sts::111122223333:assumed-role/alter/alter.default"
    );
    assert!(alter_policy::caller::is_capped_below(
        &caller.arn,
        false,
        3_601
    ));
    issuer.identify(&identity).await.unwrap();
    assert_eq!(cluster.tokens().len(), 2, "each look tries the whole way");
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(sts.calls().last().unwrap().access_key_id, "ASIATEST1");
}

#[tokio::test]
async fn a_grant_of_the_identitys_own_role_enters_it_directly() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let mut own = grant("a");
    own.spec.role_arn = Some(OWN_ROLE.to_owned());
    own.spec.duration_seconds = 43_200;
    let session = issuer.issue(&identity, &own).await.unwrap();
    assert_eq!(
        session.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/alter/alter.team-a.a"
    );
    assert_eq!(actions(&sts), ["AssumeRoleWithWebIdentity"]);
    let calls = sts.others();
    assert_eq!(calls[0].parameter("DurationSeconds"), Some("43200"));
    // What the way in cannot carry is never left out.
    own.spec.tags = [("team".to_owned(), "a".to_owned())].into();
    issuer.issue(&identity, &own).await.unwrap();
    assert_eq!(
        actions(&sts)[1..],
        ["AssumeRoleWithWebIdentity", "AssumeRole"]
    );
    assert_eq!(sts.others()[2].parameter("Tags.member.1.Key"), Some("team"));
}

#[tokio::test]
async fn a_session_that_is_about_to_expire_is_followed_by_another() {
    let refused = Arc::default();
    let (cluster, sts) = (Cluster::new(OLD), short_sts(0, &refused).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.issue(&identity, &grant("b")).await.unwrap();
    let tokens = sts.others().into_iter();
    let tokens: Vec<_> = tokens
        .filter_map(|call| call.parameters.get("WebIdentityToken").cloned())
        .collect();
    assert_eq!(tokens, ["hunter-0", "hunter-1"], "a token of its own each");
}

#[tokio::test]
async fn a_session_that_aws_refuses_is_followed_by_another_at_once() {
    let sts = sts(|call| match (call.action.as_str(), call.index) {
        // The role was made anew: its old sessions are nobody's.
        ("AssumeRole", 2) => Answer::Error(403, "InvalidClientTokenId", "as AWS says it"),
        _ => Answer::Success,
    })
    .await;
    let cluster = Cluster::new(OLD);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.issue(&identity, &grant("b")).await.unwrap();
    let signers: Vec<_> = sts
        .others()
        .into_iter()
        .map(|call| call.access_key_id)
        .collect();
    assert_eq!(signers, ["", "ASIATEST0", "ASIATEST0", "", "ASIATEST3"]);
}

#[tokio::test]
async fn what_the_api_server_refuses_is_named() {
    for (account, category, text) in [
        (
            Account::Status(404),
            reason::SOURCE_NOT_FOUND,
            "AwsIdentity default: there is no service account alter-aws in namespace alter: create it",
        ),
        (
            Account::Status(403),
            reason::SOURCE_NOT_FOUND,
            "add the one to the chart's value operator.webIdentity.serviceAccounts, and the other to \
             operator.webIdentity.audiences; the API server said: as the API server says it (403 Forbidden)",
        ),
        (
            Account::Status(500),
            reason::UNAVAILABLE,
            "as the API server says it (500 InternalError); Alter asks again by itself",
        ),
    ] {
        let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
        cluster.account(account);
        let (issuer, identity) = (cluster.issuer(), identity(&sts));
        for error in [
            issuer.identify(&identity).await.unwrap_err(),
            issuer.issue(&identity, &grant("a")).await.unwrap_err(),
        ] {
            assert_eq!(error.category(), category, "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
        assert!(sts.others().is_empty());
    }
}

#[tokio::test]
async fn what_aws_refuses_is_the_sources_fault_and_shows_no_token() {
    let refused = Arc::new(Mutex::new(vec!["AssumeRoleWithWebIdentity"]));
    let (cluster, sts) = (Cluster::new(OLD), short_sts(60, &refused).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_REJECTED, "{error}");
    let mut own = grant("own");
    own.spec.role_arn = Some(OWN_ROLE.to_owned());
    let denied = issuer.issue(&identity, &own).await.unwrap_err();
    assert_eq!(denied.category(), reason::ACCESS_DENIED, "{denied}");
    let text = format!("{error} {error:?} {denied:?}");
    assert!(
        text.contains("trust policy") && !text.contains("hunter"),
        "{text}"
    );
}

/// Whoever waits for a try shares its failure: a hundred grants do not knock a hundred times.
#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_token_share_the_failure() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    cluster.account(Account::Silent);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let grants: Vec<_> = (0..100)
        .map(|number| grant(&format!("g-{number}")))
        .collect();
    let asked = grants.iter().map(|grant| issuer.issue(&identity, grant));
    for answer in futures::future::join_all(asked).await {
        let error = answer.unwrap_err();
        assert!(matches!(error, IssueError::TokenTimeout { .. }), "{error}");
    }
    assert_eq!(cluster.tokens().len(), 1);
}

/// One identity whose API server or AWS hangs holds up no grant of another.
#[tokio::test]
async fn an_identity_that_hangs_or_fails_touches_no_others() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let sts = sts(move |call| match call.action.as_str() {
        "AssumeRoleWithWebIdentity" => Answer::Held(held.clone()),
        _ => Answer::Success,
    })
    .await;
    let cluster = Cluster::new(OLD);
    let issuer = cluster.issuer();
    let named = |name: &str| {
        let mut own = identity(&sts);
        own.metadata.name = Some(name.to_owned());
        own
    };
    let (slow, lost, good) = (named("slow"), named("lost"), with_key(&sts));
    let a = grant("a");
    let mut waits = Box::pin(issuer.issue(&slow, &a));
    while sts.others().is_empty() {
        assert!(futures::poll!(&mut waits).is_pending());
        tokio::task::yield_now().await;
    }
    cluster.account(Account::Status(404));
    let error = issuer.issue(&lost, &a).await.unwrap_err();
    assert!(matches!(error, IssueError::ServiceAccountMissing { .. }));
    issuer.issue(&good, &a).await.unwrap();
    assert!(futures::poll!(&mut waits).is_pending());
    gate.add_permits(1);
    waits.await.unwrap();
}

/// While the session is good, a failure to follow it up takes nothing from anybody.
#[tokio::test]
async fn a_session_that_cannot_be_renewed_is_worked_with_to_its_end() {
    let refused = Arc::<Mutex<Vec<_>>>::default();
    let (cluster, sts) = (Cluster::new(OLD), short_sts(60, &refused).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    refused.lock().unwrap().push("AssumeRoleWithWebIdentity");
    given_long_ago(&issuer, 30).await;
    issuer.issue(&identity, &grant("b")).await.unwrap();
    issuer.issue(&identity, &grant("c")).await.unwrap();
    assert_eq!(
        actions(&sts)[2..],
        ["AssumeRoleWithWebIdentity", "AssumeRole", "AssumeRole"],
        "not tried again for each grant"
    );
    given_long_ago(&issuer, -60).await;
    let error = issuer.issue(&identity, &grant("d")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_REJECTED, "{error}");
}

/// As if the session had been given nine hours ago, and ended that many minutes from now.
async fn given_long_ago(issuer: &Issuer, ends_in: i64) {
    let slot = issuer.inner.clients.slot("default");
    let mut held = slot.held.lock().await;
    let now = crate::clock::now();
    let ends = now + SignedDuration::from_mins(ends_in);
    let term = Term::new(now - SignedDuration::from_hours(9), ends);
    held.connection.as_mut().unwrap().term = Some(term);
}
