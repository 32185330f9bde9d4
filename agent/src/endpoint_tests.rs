//! Who gets a session, and what everyone else is told.

use super::*;
use crate::answer::{Answer, Answers};
use crate::state::{Refusal, State};
use alter_protocol::Session;
use http_body_util::BodyExt as _;
use tokio::sync::watch;

const TOKEN: &str = "t0ken";

fn session() -> Session {
    Session {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: "s3cr3t".to_owned().into(),
        session_token: "tok3n".to_owned().into(),
        expiration: "2026-11-22T06:00:00Z".parse().unwrap(),
    }
}

fn endpoint() -> Endpoint {
    let serving = State::Serving {
        session: session(),
        region: "us-east-1".to_owned(),
        kept: None,
    };
    let answers = Answers {
        grants: vec![
            Answer::new("bedrock", serving, Timestamp::UNIX_EPOCH),
            Answer::new("waiting", State::START, Timestamp::UNIX_EPOCH),
            Answer::new(
                "refused",
                State::Refused(Refusal::OtherGrant("x".to_owned())),
                Timestamp::UNIX_EPOCH,
            ),
        ],
        ready: true,
    };
    Endpoint::new(
        Origin::new("127.0.0.1:9911".parse().unwrap()),
        TOKEN.to_owned().into(),
        watch::channel(Arc::new(answers)).1,
        Arc::default(),
    )
}

/// Each of `headers` in the place of the right one.
fn ask(method: &str, uri: &str, headers: &[(&str, &str)]) -> (StatusCode, serde_json::Value) {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in [("host", "127.0.0.1:9911"), ("authorization", TOKEN)] {
        if !headers.iter().any(|(other, _)| *other == name) {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let now = "2026-11-22T05:00:00Z".parse().unwrap();
    let response = endpoint().respond(&request.body(()).unwrap(), now);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(
        response.headers().contains_key(ALLOW),
        response.status() == StatusCode::METHOD_NOT_ALLOWED
    );
    let status = response.status();
    let body = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(response.into_body().collect())
        .unwrap()
        .to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn denied(method: &str, uri: &str, headers: &[(&str, &str)], status: u16, code: &str) {
    let (found, body) = ask(method, uri, headers);
    assert_eq!(found.as_u16(), status, "{method} {uri} {headers:?}: {body}");
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["Code"], body["code"]);
    assert_eq!(body["Message"], body["message"]);
    assert!(!body.to_string().contains("s3cr3t"), "{body}");
}

const PATH: &str = "/v1/credentials/bedrock";

#[test]
fn the_right_request_gets_the_session() {
    for host in ["127.0.0.1:9911", "localhost:9911"] {
        let (status, body) = ask("GET", PATH, &[("host", host)]);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["SecretAccessKey"], "s3cr3t");
        assert_eq!(body["Expiration"], "2026-11-22T06:00:00Z");
    }
}

#[test]
fn the_token_must_be_the_very_token() {
    for token in ["", "t0ke", "t0ken2", "T0KEN", "Bearer t0ken"] {
        denied(
            "GET",
            PATH,
            &[("authorization", token)],
            401,
            "InvalidToken",
        );
        // And nobody without it learns which grants there are.
        let other = "/v1/credentials/other";
        denied(
            "GET",
            other,
            &[("authorization", token)],
            401,
            "InvalidToken",
        );
    }
}

#[test]
fn foreign_names_and_forwarded_requests_are_refused_before_the_token_is_looked_at() {
    for host in [
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost",
        "evil.example:9911",
        "127.0.0.1:9911.evil.example",
        "[::1]:9911",
        "",
    ] {
        denied("GET", PATH, &[("host", host)], 403, "AccessDenied");
    }
    let twice = [("host", "127.0.0.1:9911"), ("host", "evil.example")];
    denied("GET", PATH, &twice, 403, "AccessDenied");
    denied(
        "GET",
        PATH,
        &[("x-forwarded-for", "10.0.0.1")],
        403,
        "AccessDenied",
    );
    denied(
        "GET",
        PATH,
        &[("forwarded", "for=10.0.0.1")],
        403,
        "AccessDenied",
    );
    let absolute = "http://evil.example/v1/credentials/bedrock";
    denied("GET", absolute, &[], 403, "AccessDenied");
}

#[test]
fn only_get_and_only_known_paths() {
    for method in ["POST", "PUT", "HEAD", "DELETE", "OPTIONS"] {
        denied(method, PATH, &[], 405, "MethodNotAllowed");
    }
    for path in [
        "/",
        "/v1/credentials",
        "/metrics",
        "/v2/credentials/bedrock",
    ] {
        denied("GET", path, &[], 404, "NotFound");
    }
    for grant in [
        "",
        "other",
        "../bedrock",
        "bedrock/",
        "%62edrock",
        "./bedrock",
    ] {
        let path = format!("/v1/credentials/{grant}");
        denied("GET", &path, &[], 404, "UnknownGrant");
    }
}

#[test]
fn sdks_try_again_where_a_session_may_come_by_itself() {
    denied("GET", "/v1/credentials/waiting", &[], 503, "NoSession");
    denied("GET", "/v1/credentials/refused", &[], 403, "AccessDenied");
}
