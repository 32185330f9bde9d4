//! The client against a Roles Anywhere on loopback, whose verifier is openssl.

use super::*;
use crate::test_anywhere::{Answer, Pair, TestAnywhere};
use alter_policy::session_policy::SessionPolicy;
use alter_protocol::session::SecretText;
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256, PKCS_RSA_SHA256,
};
use serde_json::json;

const ROLE: &str = "arn:aws:iam::111122223333:role/path/alter";
const ANCHOR: &str = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a-1";
const PROFILE: &str = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/b-2";

fn client(endpoint: Option<String>) -> RolesAnywhere {
    RolesAnywhere::new(Anchor {
        trust_anchor_arn: ANCHOR.to_owned(),
        profile_arn: PROFILE.to_owned(),
        endpoint,
    })
    .unwrap()
}

fn entry(duration_seconds: Option<i32>) -> Entry {
    Entry {
        role_arn: ROLE.to_owned(),
        session_name: "alter.default".to_owned(),
        duration_seconds,
        policy: SessionPolicy::default(),
    }
}

fn now() -> Timestamp {
    "2026-11-22T04:05:06.7Z".parse().unwrap()
}

fn certificate(pair: &Pair, key: &str) -> Certificate {
    let key = SecretText::new(key.to_owned());
    Certificate::read(pair.certificates.as_bytes(), &key).unwrap()
}

fn any_pair() -> Pair {
    Pair::issue(&PKCS_ECDSA_P256_SHA256, &[7], (2020, 2096)).unwrap()
}

async fn server(answer: Answer) -> TestAnywhere {
    TestAnywhere::start(move |_| answer.clone()).await.unwrap()
}

async fn granting() -> TestAnywhere {
    server(Answer::Until("2026-11-22T05:05:06Z".to_owned())).await
}

/// Every kind of key in every form, each signature checked by openssl over what arrived.
#[tokio::test]
async fn openssl_verifies_each_kind_of_key_in_each_form() {
    let server = granting().await;
    for (algorithm, name) in [
        (&PKCS_RSA_SHA256, "AWS4-X509-RSA-SHA256"),
        (&PKCS_ECDSA_P256_SHA256, "AWS4-X509-ECDSA-SHA256"),
        (&PKCS_ECDSA_P384_SHA384, "AWS4-X509-ECDSA-SHA256"),
        (&PKCS_ECDSA_P521_SHA256, "AWS4-X509-ECDSA-SHA256"),
    ] {
        let pair = Pair::issue(algorithm, &[0xff, 0xff], (2020, 2096)).unwrap();
        let traditional = pair.traditional_key().unwrap();
        assert!(pair.key.contains("BEGIN PRIVATE KEY"));
        assert!(
            traditional.contains("BEGIN RSA PRIVATE KEY")
                || traditional.contains("BEGIN EC PRIVATE KEY")
        );
        for key in [&pair.key, &traditional] {
            let (client, certificate) = (client(Some(server.url())), certificate(&pair, key));
            let entered = client.enter(&certificate, &entry(None), now()).await;
            let assumed = entered.unwrap();
            assert_eq!(
                assumed.assumed_role_arn,
                "arn:aws:sts::111122223333:assumed-role/alter/65535"
            );
            assert_eq!(
                *assumed.session.secret_access_key,
                assumed
                    .session
                    .access_key_id
                    .replace("ASIAANYWHERE", "secret-")
            );
            assert_eq!(
                assumed.session.expiration.to_string(),
                "2026-11-22T05:05:06Z"
            );
            let call = server.calls().pop().unwrap();
            assert_eq!(
                (call.algorithm.as_str(), call.serial.as_str()),
                (name, "65535")
            );
            let start = format!(
                "{name}\n20261122T040506Z\n20261122/eu-west-1/rolesanywhere/aws4_request\n"
            );
            assert!(
                call.string_to_sign.starts_with(&start),
                "{}",
                call.string_to_sign
            );
            assert_eq!(call.certificates.len(), 2, "the root is not sent");
        }
    }
    assert_eq!(server.calls().len(), 8);
}

#[tokio::test]
async fn what_is_asked_for_is_in_the_body() {
    let server = granting().await;
    let (pair, client) = (any_pair(), client(Some(server.url())));
    let certificate = certificate(&pair, &pair.key);
    client
        .enter(&certificate, &entry(None), now())
        .await
        .unwrap();
    let whole = json!({"profileArn": PROFILE, "roleArn": ROLE, "trustAnchorArn": ANCHOR});
    assert_eq!(server.calls()[0].body, whole);
    let long = entry(Some(43_200));
    client.enter(&certificate, &long, now()).await.unwrap();
    assert_eq!(server.calls()[1].body["durationSeconds"], 43_200);
}

#[tokio::test]
async fn an_endpoint_may_have_a_path() {
    let server = granting().await;
    let pair = any_pair();
    let client = client(Some(format!("{}/aws/rolesanywhere/", server.url())));
    let certificate = certificate(&pair, &pair.key);
    client
        .enter(&certificate, &entry(None), now())
        .await
        .unwrap();
    assert_eq!(server.calls().len(), 1);
}

#[test]
fn the_anchors_region_and_partition_lead_to_aws() {
    let own = client(None);
    assert_eq!(
        own.endpoint,
        "https://rolesanywhere.eu-west-1.amazonaws.com"
    );
    assert_eq!(own.place, "Roles Anywhere in eu-west-1");
    let china = RolesAnywhere::new(Anchor {
        trust_anchor_arn: "arn:aws-cn:rolesanywhere:cn-north-1:111122223333:trust-anchor/a"
            .to_owned(),
        profile_arn: PROFILE.to_owned(),
        endpoint: None,
    });
    assert_eq!(
        china.unwrap().endpoint,
        "https://rolesanywhere.cn-north-1.amazonaws.com.cn"
    );
    let pair = any_pair();
    let asked = Asked {
        place: "",
        request: None,
        by: By::Certificate,
    };
    let host = |endpoint: &str| {
        let client = client(Some(endpoint.to_owned()));
        let request = client.request(&certificate(&pair, &pair.key), &entry(None), now(), &asked);
        request.unwrap().headers().get("host").unwrap().to_owned()
    };
    assert_eq!(host("https://a.example"), "a.example");
    assert_eq!(host("https://a.example:443"), "a.example");
    assert_eq!(host("https://a.example:8443"), "a.example:8443");
    assert_eq!(host("http://a.example:80/x"), "a.example");
}

async fn failure(url: String) -> EntryError {
    let pair = any_pair();
    let entered = client(Some(url))
        .enter(&certificate(&pair, &pair.key), &entry(None), now())
        .await;
    entered.unwrap_err()
}

#[tokio::test]
async fn errors_carry_their_class_and_aws_text() {
    for (status, code, class, word) in [
        (403, "AccessDeniedException", Class::Denied, "trust anchor"),
        (
            404,
            "ResourceNotFoundException",
            Class::InvalidInput,
            "profileArn",
        ),
        (
            400,
            "ValidationException",
            Class::InvalidInput,
            "profileArn",
        ),
        (429, "ThrottlingException", Class::Throttled, "asks again"),
        (
            500,
            "InternalServerException",
            Class::Transient,
            "asks again",
        ),
    ] {
        let server = server(Answer::Error(status, code, "as AWS says it")).await;
        let error = failure(server.url()).await;
        assert_eq!(error.class(), class, "{error}");
        let said =
            format!("rolesanywhere:CreateSession of {ROLE} failed: {code}: as AWS says it; ");
        let text = error.to_string();
        assert!(text.starts_with(&said) && text.contains(word), "{text}");
        assert_eq!(server.calls().len(), 1, "tried once");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_roles_anywhere_says_so() {
    for answer in [
        Answer::Raw(403, "<html>Forbidden</html>"),
        Answer::Raw(200, "<html>Welcome</html>"),
        Answer::Raw(201, "{}"),
    ] {
        let server = server(answer.clone()).await;
        let error = failure(server.url()).await;
        assert_eq!(error.class(), Class::Transient, "{answer:?}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("check that endpoints.rolesanywhere"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_closed_port_and_a_url_that_is_none_are_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let error = failure(closed.clone()).await;
    let text = error.to_string();
    assert!(text.contains(&closed) && text.contains("refused"), "{text}");
    assert_eq!(error.class(), Class::Transient);
    let error = failure("http://no url".to_owned()).await;
    assert_eq!(error.class(), Class::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_signature_that_openssl_does_not_verify_is_refused_here() {
    let server = granting().await;
    let pair = any_pair();
    let client = client(Some(server.url()));
    let asked = Asked {
        place: "",
        request: None,
        by: By::Certificate,
    };
    let certificate = certificate(&pair, &pair.key);
    let mut request = client
        .request(&certificate, &entry(None), now(), &asked)
        .unwrap();
    request
        .headers_mut()
        .insert("x-amz-date", "20261122T040507Z");
    let answer = client.wire.ask(request, &asked).await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(server.calls().is_empty());
}
