//! Roles behind roles, and sessions without a role.

use super::{
    cluster::{Cluster, NEW, OLD},
    *,
};

const HUB: &str = "arn:aws:iam::444455556666:role/hub";
const SPOKE: &str = "arn:aws:iam::444455556666:role/spoke";

fn chained(name: &str, chain: &[&str]) -> AwsGrant {
    let mut grant = grant(name);
    grant.spec.role_chain = chain.iter().map(|&arn| arn.to_owned()).collect();
    grant
}

/// Of each call: the role, and who signed.
fn walked(sts: &TestSts) -> Vec<(String, String)> {
    let role = |call: &Call| {
        let arn = call.parameter("RoleArn").unwrap_or_default();
        arn.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let calls = sts.others();
    calls
        .iter()
        .map(|call| (role(call), call.access_key_id.clone()))
        .collect()
}

fn steps(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = expected
        .iter()
        .map(|(role, signer)| ((*role).to_owned(), (*signer).to_owned()));
    owned.collect()
}

/// A time so many seconds ahead, as STS writes it.
fn ahead(seconds: i64) -> String {
    let at = crate::clock::now() + jiff::SignedDuration::from_secs(seconds);
    alter_protocol::session::rfc3339(at)
}

#[tokio::test]
async fn each_hop_is_assumed_by_the_one_before_and_grants_share_them() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let session = issuer.issue(&identity, &chained("a", &[HUB, SPOKE])).await;
    assert_eq!(session.unwrap().session.access_key_id, "ASIATEST2");
    issuer
        .issue(&identity, &chained("b", &[HUB, SPOKE]))
        .await
        .unwrap();
    issuer
        .issue(&identity, &chained("c", &[HUB]))
        .await
        .unwrap();
    issuer.issue(&identity, &grant("d")).await.unwrap();
    assert_eq!(
        walked(&sts),
        steps(&[
            ("hub", "AKIAOLD"),
            ("spoke", "ASIATEST0"),
            ("team-a", "ASIATEST1"),
            ("team-a", "ASIATEST1"),
            ("team-a", "ASIATEST0"),
            ("team-a", "AKIAOLD"),
        ])
    );
    let calls = sts.others();
    let names = calls.iter().map(|call| call.parameter("RoleSessionName"));
    let names: Vec<_> = names.flatten().collect();
    assert_eq!(
        names[..4],
        [
            "alter.default",
            "alter.default",
            "alter.team-a.a",
            "alter.team-a.b"
        ]
    );
}

#[tokio::test]
async fn a_hop_is_assumed_anew_before_it_expires() {
    // Each with less left than a call may take.
    let sts = sts(|_| Answer::Until(ahead(30))).await;
    let (cluster, identity) = (Cluster::new(OLD), identity(&sts));
    let issuer = cluster.issuer();
    for name in ["a", "b"] {
        issuer
            .issue(&identity, &chained(name, &[HUB]))
            .await
            .unwrap();
    }
    assert_eq!(
        walked(&sts),
        steps(&[
            ("hub", "AKIAOLD"),
            ("team-a", "ASIATEST0"),
            ("hub", "AKIAOLD"),
            ("team-a", "ASIATEST2"),
        ])
    );
}

#[tokio::test]
async fn a_hop_that_aws_refuses_is_assumed_once_more() {
    let sts = sts(|call| {
        // The first hop's session is revoked once it was used.
        if call.access_key_id == "ASIATEST0" && call.index > 1 {
            Answer::Error(403, "ExpiredToken", "The security token is expired")
        } else {
            Answer::Success
        }
    })
    .await;
    let (cluster, identity) = (Cluster::new(OLD), identity(&sts));
    let issuer = cluster.issuer();
    for name in ["a", "b"] {
        issuer
            .issue(&identity, &chained(name, &[HUB]))
            .await
            .unwrap();
    }
    assert_eq!(
        walked(&sts),
        steps(&[
            ("hub", "AKIAOLD"),
            ("team-a", "ASIATEST0"),
            ("team-a", "ASIATEST0"),
            ("hub", "AKIAOLD"),
            ("team-a", "ASIATEST3"),
        ])
    );
}

#[tokio::test]
async fn a_denied_hop_is_named_and_nobody_behind_it_is_asked() {
    let sts = sts(|_| Answer::Error(403, "AccessDenied", "no")).await;
    let (cluster, identity) = (Cluster::new(OLD), identity(&sts));
    let given = cluster
        .issuer()
        .issue(&identity, &chained("a", &[HUB]))
        .await;
    let error = given.unwrap_err();
    assert_eq!(error.category(), reason::ACCESS_DENIED);
    assert!(error.to_string().contains(HUB), "{error}");
    assert_eq!(sts.others().len(), 1);
}

#[tokio::test]
async fn another_key_begins_the_way_anew() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer
        .issue(&identity, &chained("a", &[HUB]))
        .await
        .unwrap();
    cluster.store(NEW);
    issuer.forget("default");
    issuer
        .issue(&identity, &chained("a", &[HUB]))
        .await
        .unwrap();
    assert_eq!(walked(&sts)[2], ("hub".to_owned(), "AKIANEW".to_owned()));
}

#[tokio::test]
async fn grants_that_come_together_assume_a_hop_once() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    let grants: Vec<_> = (0..20)
        .map(|i| chained(&format!("g{i}"), &[HUB, SPOKE]))
        .collect();
    let given = grants.iter().map(|grant| issuer.issue(&identity, grant));
    for session in futures::future::join_all(given).await {
        session.unwrap();
    }
    assert_eq!(sts.count("AssumeRole"), 22);
}

#[tokio::test]
async fn every_hop_waits_for_the_budget() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    // Whose the key is, one call, and then for years none.
    let issuer = cluster.issuer_with(1e-9, 2);
    let (identity, grant) = (identity(&sts), chained("a", &[HUB]));
    let given = issuer.issue(&identity, &grant);
    let arrived = async {
        while sts.others().is_empty() {
            tokio::task::yield_now().await;
        }
        // As many steps as the second call would need.
        let mut other = identity.clone();
        other.metadata.name = Some("other".to_owned());
        issuer.issue(&other, &super::grant("b")).await.unwrap();
    };
    tokio::select! {
        _ = given => panic!("beyond the budget"),
        () = arrived => {}
    };
    assert_eq!(sts.others().len(), 2);
}

/// The answer of an STS whose caller has a source identity: nobody can change it.
const SOURCED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIASOURCED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
    <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>\
    <AssumedRoleId>AROATEST:s</AssumedRoleId><Arn>arn:aws:sts::444455556666:assumed-role/hub/s</Arn>\
    </AssumedRoleUser><SourceIdentity>somebody</SourceIdentity></AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn a_source_identity_that_is_set_stays() {
    for (answer, kept) in [
        (Answer::Raw(200, SOURCED), None),
        (Answer::Success, Some("team-a")),
    ] {
        let of_hub = answer.clone();
        let sts = sts(move |call| match call.parameter("RoleArn") {
            Some(HUB) => of_hub.clone(),
            _ => Answer::Success,
        })
        .await;
        let (cluster, mut identity) = (Cluster::new(OLD), identity(&sts));
        let session = json!({"sourceIdentity": "{namespace}"});
        identity.spec.session = serde_json::from_value(session).unwrap();
        let issuer = cluster.issuer();
        issuer
            .issue(&identity, &chained("a", &[HUB]))
            .await
            .unwrap();
        let calls = sts.others();
        assert_eq!(calls[0].parameter("SourceIdentity"), None, "of a hop");
        assert_eq!(calls[1].parameter("SourceIdentity"), kept);
    }
}

fn without_role(policy: Option<&str>) -> AwsGrant {
    let mut grant = grant("a");
    grant.spec.role_arn = None;
    grant.spec.policy = policy.map(str::to_owned);
    grant
}

fn known(identity: AwsIdentity) -> AwsIdentity {
    let status = json!({"arn": "arn:aws:iam::111122223333:user/alter"});
    AwsIdentity {
        status: Some(serde_json::from_value(status).unwrap()),
        ..identity
    }
}

#[tokio::test]
async fn sessions_without_a_role_are_the_users_and_outlive_a_rotation() {
    let key = Arc::new(Mutex::new("AKIAOLD"));
    let (cluster, sts) = (Cluster::new(OLD), strict_sts(&key).await);
    let (issuer, identity) = (cluster.issuer(), known(identity(&sts)));
    let confined = without_role(Some(r#"{"Statement": []}"#));
    let given = issuer.issue(&identity, &confined).await.unwrap();
    assert_eq!(
        given.assumed_role_arn,
        "arn:aws:sts::111122223333:federated-user/team-a.a"
    );
    cluster.store(NEW);
    *key.lock().unwrap() = "AKIANEW";
    let given = issuer.issue(&identity, &without_role(None)).await.unwrap();
    assert_eq!(
        given.assumed_role_arn,
        "arn:aws:iam::111122223333:user/alter"
    );
    let calls = sts.others();
    let actions: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(
        actions,
        ["GetFederationToken", "GetSessionToken", "GetSessionToken"]
    );
    assert_eq!(calls[0].parameter("Policy"), Some(r#"{"Statement":[]}"#));
    assert_eq!(calls[2].access_key_id, "AKIANEW");
    let text = metrics(&issuer);
    assert!(
        text.contains(r#"operation="GetFederationToken",outcome="Success"} 1"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_user_that_nobody_knows_yet_is_not_asked_for() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let identity = identity(&sts);
    let given = cluster.issuer().issue(&identity, &without_role(None)).await;
    let error = given.unwrap_err().to_string();
    assert!(
        error.contains("has not said yet whose key it is"),
        "{error}"
    );
    assert!(sts.others().is_empty());
}

#[tokio::test]
async fn what_is_too_large_packed_has_a_reason_of_its_own() {
    let sts = sts(|_| {
        let message = "Packed policy consumes 137% of allotted space, please use smaller policy.";
        Answer::Error(400, "PackedPolicyTooLarge", message)
    })
    .await;
    let (cluster, identity) = (Cluster::new(OLD), identity(&sts));
    let mut grant = grant("a");
    grant.spec.policy = Some(r#"{"Statement": []}"#.to_owned());
    let error = cluster.issuer().issue(&identity, &grant).await.unwrap_err();
    assert_eq!(error.category(), reason::PACKED_POLICY_TOO_LARGE);
    assert_eq!(error.retry(), Retry::Later(Duration::from_mins(10)));
    let text = error.to_string();
    assert!(
        text.contains("137% of what AWS takes: shorten the session policy"),
        "{text}"
    );
}
