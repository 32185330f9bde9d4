//! Access keys: rotated, gone, and the root user's.

use super::*;

/// What was read of the identity's Secret was read a minute ago.
async fn a_minute_passes(issuer: &Issuer) {
    let slot = issuer.inner.clients.slot("default");
    let mut held = slot.held.lock().await;
    let looked_at = &mut held.connection.as_mut().unwrap().looked_at;
    *looked_at = looked_at.map(|at| at - jiff::SignedDuration::from_mins(1));
}

#[tokio::test]
async fn a_rotated_key_is_used_though_the_old_one_still_works() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    a_minute_passes(&issuer).await;
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(identified(&sts), ["AKIAOLD"], "the same version");
    cluster.store(NEW);
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(cluster.reads(), 2);
    a_minute_passes(&issuer).await;
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(signers(&sts), ["AKIAOLD", "AKIAOLD", "AKIAOLD", "AKIANEW"]);
    assert_eq!(identified(&sts), ["AKIAOLD", "AKIANEW"]);
}

#[tokio::test]
async fn a_key_is_worked_with_while_the_api_server_fails_and_not_once_its_secret_is_gone() {
    let (cluster, sts) = (Cluster::new(OLD), sts(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    a_minute_passes(&issuer).await;
    cluster.store(Stored::Status(500));
    for _ in 0..3 {
        issuer.issue(&identity, &grant("a")).await.unwrap();
    }
    assert_eq!(cluster.reads(), 2, "not at each call");
    a_minute_passes(&issuer).await;
    cluster.store(Stored::Status(404));
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_NOT_FOUND);
}

/// An STS for whom the new key is the root user's, and which else does as the script says.
async fn root_for_new(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> TestSts {
    const ROOT: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
        <Arn>arn:aws:iam::111122223333:root</Arn><UserId>r</UserId><Account>111122223333</Account>\
        </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let script = move |call: &Call| match (call.identifies(), call.access_key_id.as_str()) {
        (true, "AKIANEW") => Answer::Raw(200, ROOT),
        (true, _) => Answer::Success,
        (false, _) => script(call),
    };
    TestSts::start(script).await.unwrap()
}

#[tokio::test]
async fn a_root_users_key_issues_nothing_however_it_comes() {
    // 1. Before anybody has asked whose it is.
    let (cluster, sts) = (Cluster::new(NEW), root_for_new(|_| Answer::Success).await);
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    for _ in 0..3 {
        let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
        assert_eq!(error.category(), reason::ROOT_USER);
        assert!(
            error.to_string().contains("delete the root user's"),
            "{error}"
        );
    }
    assert_eq!((identified(&sts).len(), sts.others().len()), (1, 0));
    // 2. It is told of as the caller that it is.
    let caller = issuer.identify(&identity).await.unwrap();
    assert!(caller.arn.ends_with(":root"));
    // 3. Once the Secret holds another.
    cluster.store(OLD);
    a_minute_passes(&issuer).await;
    issuer.issue(&identity, &grant("a")).await.unwrap();
    assert_eq!(signers(&sts), ["AKIAOLD"]);
}

#[tokio::test]
async fn a_root_users_key_is_not_used_in_place_of_one_that_is_refused() {
    let (cluster, refusing) = (Cluster::new(OLD), Arc::new(Mutex::new(false)));
    let refused = refusing.clone();
    let sts = root_for_new(move |_| {
        if *refused.lock().unwrap() {
            Answer::Error(403, "InvalidClientTokenId", "invalid")
        } else {
            Answer::Success
        }
    })
    .await;
    let (issuer, identity) = (cluster.issuer(), identity(&sts));
    issuer.issue(&identity, &grant("a")).await.unwrap();
    cluster.store(NEW);
    *refusing.lock().unwrap() = true;
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::ROOT_USER);
    assert_eq!(signers(&sts), ["AKIAOLD", "AKIAOLD"]);
}
