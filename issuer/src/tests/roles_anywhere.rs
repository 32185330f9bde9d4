//! Identities whose role is entered by a certificate.

use super::{
    cluster::{Cluster, NEW, Stored},
    grant, identity as with_key, metrics, sts,
};
use crate::{AwsIdentity, Retry};
use alter_aws::{
    test_anywhere::{Answer, Pair, TestAnywhere},
    test_sts::{self, TestSts},
};
use alter_crds::condition::reason;
use rcgen::PKCS_ECDSA_P256_SHA256;
use serde_json::json;
use std::time::Duration;

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/alter";

fn identity(sts: &TestSts, anywhere: &TestAnywhere) -> AwsIdentity {
    let mut identity = with_key(sts);
    let credentials = json!({"rolesAnywhere": {
        "trustAnchorArn": "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/a",
        "profileArn": "arn:aws:rolesanywhere:us-east-1:111122223333:profile/b",
        "roleArn": OWN_ROLE,
        "certificateSecretRef": {"name": "alter-key"},
    }});
    identity.spec.credentials = serde_json::from_value(credentials).unwrap();
    let endpoints = identity.spec.endpoints.as_mut().unwrap();
    endpoints.rolesanywhere = Some(anywhere.url());
    identity
}

async fn anywhere(answer: Answer) -> TestAnywhere {
    TestAnywhere::start(move |_| answer.clone()).await.unwrap()
}

async fn granting() -> TestAnywhere {
    anywhere(Answer::Until("2099-01-01T00:00:00Z".to_owned())).await
}

async fn any_sts() -> TestSts {
    sts(|_| test_sts::Answer::Success).await
}

/// A Secret as cert-manager writes it; it lives as long as the test program.
fn stored(version: &'static str, serial: u8, years: (i32, i32)) -> Stored {
    let pair = Pair::issue(&PKCS_ECDSA_P256_SHA256, &[serial], years).unwrap();
    Stored::Certificate(version, pair.certificates.leak(), pair.key.leak())
}

#[tokio::test]
async fn a_certificate_buys_a_session_through_which_roles_are_assumed() {
    let (sts, anywhere) = (any_sts().await, granting().await);
    let cluster = Cluster::new(stored("1", 7, (2020, 2096)));
    let (issuer, mut identity) = (cluster.issuer(), identity(&sts, &anywhere));
    // The certificate's own stays on the session, and STS takes no other.
    identity.spec.session = serde_json::from_value(json!({"sourceIdentity": "{grant}"})).unwrap();
    issuer.issue(&identity, &grant("a")).await.unwrap();
    issuer.issue(&identity, &grant("b")).await.unwrap();
    assert_eq!(anywhere.calls().len(), 1);
    assert_eq!(anywhere.calls()[0].body.get("durationSeconds"), None);
    let calls = sts.others();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].access_key_id, "ASIAANYWHERE0");
    assert_eq!(calls[1].parameter("SourceIdentity"), None);
    let text = metrics(&issuer);
    let line = r#"operation="CreateSession",outcome="Success"} 1"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn a_grant_of_the_identitys_own_role_enters_it_directly() {
    let (sts, anywhere) = (any_sts().await, granting().await);
    let cluster = Cluster::new(stored("1", 7, (2020, 2096)));
    let (issuer, identity) = (cluster.issuer(), identity(&sts, &anywhere));
    let mut own = grant("a");
    own.spec.role_arn = Some(OWN_ROLE.to_owned());
    own.spec.duration_seconds = 43_200;
    let session = issuer.issue(&identity, &own).await.unwrap();
    assert_eq!(
        session.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/alter/7"
    );
    assert_eq!(anywhere.calls()[0].body["durationSeconds"], 43_200);
    assert!(sts.others().is_empty());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_then_on() {
    let (sts, anywhere) = (any_sts().await, granting().await);
    let cluster = Cluster::new(stored("1", 7, (2020, 2096)));
    let (issuer, identity) = (cluster.issuer(), identity(&sts, &anywhere));
    issuer.identify(&identity).await.unwrap();
    cluster.store(stored("2", 8, (2020, 2097)));
    issuer.forget("default");
    issuer.issue(&identity, &grant("a")).await.unwrap();
    let serials: Vec<_> = anywhere
        .calls()
        .into_iter()
        .map(|call| call.serial)
        .collect();
    assert_eq!(serials, ["7", "8"]);
    assert_eq!(sts.calls()[1].access_key_id, "ASIAANYWHERE1");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_and_not_shown() {
    let mixed = match (stored("1", 7, (2020, 2096)), stored("1", 8, (2020, 2096))) {
        (Stored::Certificate(version, certificates, _), Stored::Certificate(_, _, key)) => {
            Stored::Certificate(version, certificates, key)
        }
        _ => unreachable!(),
    };
    for (stored, category, text) in [
        (
            stored("1", 7, (2020, 2021)),
            reason::INVALID_CERTIFICATE,
            "AwsIdentity default: Secret alter-key in namespace alter: the certificate expired at 2021-01-01T00:00:00Z",
        ),
        (
            stored("1", 7, (2095, 2096)),
            reason::INVALID_CERTIFICATE,
            "the certificate is valid from 2095-01-01T00:00:00Z on",
        ),
        (
            mixed,
            reason::INVALID_CERTIFICATE,
            "the private key is not that of the first certificate",
        ),
        (
            NEW,
            reason::SOURCE_NOT_FOUND,
            "no text under the key tls.crt",
        ),
        (
            Stored::Status(404),
            reason::SOURCE_NOT_FOUND,
            "create it with the keys tls.crt and tls.key",
        ),
    ] {
        let (sts, anywhere) = (any_sts().await, granting().await);
        let cluster = Cluster::new(stored);
        let (issuer, identity) = (cluster.issuer(), identity(&sts, &anywhere));
        let error = issuer.identify(&identity).await.unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.retry(), Retry::Later(Duration::from_mins(1)));
        assert!(anywhere.calls().is_empty() && sts.others().is_empty());
    }
}

#[tokio::test]
async fn what_aws_refuses_is_the_sources_fault() {
    let denied = Answer::Error(403, "AccessDeniedException", "Untrusted certificate.");
    let (sts, anywhere) = (any_sts().await, anywhere(denied).await);
    let cluster = Cluster::new(stored("1", 7, (2020, 2096)));
    let (issuer, identity) = (cluster.issuer(), identity(&sts, &anywhere));
    let error = issuer.issue(&identity, &grant("a")).await.unwrap_err();
    assert_eq!(error.category(), reason::SOURCE_REJECTED, "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("rolesanywhere:CreateSession") && text.contains("trust anchor"),
        "{text}"
    );
    assert!(!text.contains("PRIVATE KEY"), "{text}");
}
