//! What a client of instance metadata gets, and what everyone else is told.

use super::*;
use crate::answer::Answers;
use crate::state::Refusal;
use alter_protocol::Session;
use http_body_util::BodyExt as _;
use tokio::sync::watch;

const ROLE: &str = "/latest/meta-data/iam/security-credentials/bedrock";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2026-11-22T05:00:00Z")
}

fn serving() -> State {
    State::Serving {
        session: Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "s3cr3t".to_owned().into(),
            session_token: "tok3n".to_owned().into(),
            expiration: time("2026-11-22T06:00:00Z"),
        },
        region: "us-east-1".to_owned(),
        kept: None,
    }
}

fn imds(state: State) -> Imds {
    let answers = Answers {
        grants: vec![
            Answer::new("bedrock", state, now()),
            Answer::new("second", serving(), now()),
        ],
        ready: true,
    };
    Imds::new(
        Origin::new("127.0.0.1:9911".parse().unwrap()),
        watch::channel(Arc::new(answers)).1,
        Arc::default(),
    )
}

struct Answered {
    status: u16,
    ttl: Option<HeaderValue>,
    body: String,
}

fn ask_at(imds: &Imds, now: Timestamp, line: &str, headers: &[(&str, &str)]) -> Answered {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:9911");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = imds.respond(&request.body(()).unwrap(), now);
    let (status, ttl) = (
        response.status().as_u16(),
        response.headers().get(TTL).cloned(),
    );
    let body = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(response.into_body().collect())
        .unwrap()
        .to_bytes();
    Answered {
        status,
        ttl,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

fn ask(imds: &Imds, line: &str, headers: &[(&str, &str)]) -> Answered {
    ask_at(imds, now(), line, headers)
}

fn token(imds: &Imds, seconds: &str) -> Answered {
    ask(
        imds,
        "PUT /latest/api/token",
        &[("x-aws-ec2-metadata-token-ttl-seconds", seconds)],
    )
}

fn get(imds: &Imds, path: &str) -> Answered {
    let token = token(imds, "21600").body;
    let line = format!("GET {path}");
    ask(imds, &line, &[("x-aws-ec2-metadata-token", &token)])
}

#[test]
fn a_token_says_how_long_it_lives_and_lives_no_longer() {
    let imds = imds(serving());
    let given = token(&imds, "60");
    assert_eq!((given.status, given.body.len()), (200, 64));
    assert_eq!(given.ttl.unwrap(), "60");
    let shown = [("x-aws-ec2-metadata-token", given.body.as_str())];
    let line = format!("GET {ROLE}");
    assert_eq!(ask(&imds, &line, &shown).status, 200);
    let last = now() + SignedDuration::from_secs(59);
    assert_eq!(ask_at(&imds, last, &line, &shown).status, 200);
    let over = now() + SignedDuration::from_mins(1);
    assert_eq!(ask_at(&imds, over, &line, &shown).status, 401);
}

#[test]
fn a_life_that_ec2_does_not_give_is_refused() {
    let imds = imds(serving());
    for seconds in ["", "0", "-1", "21601", "1h", "99999999999999999999"] {
        assert_eq!(token(&imds, seconds).status, 400, "{seconds}");
    }
    let without = ask(&imds, "PUT /latest/api/token", &[]);
    assert_eq!(without.status, 400);
    assert!(without.body.contains("from 1 to 21600"), "{}", without.body);
}

#[test]
fn nothing_is_told_without_a_token() {
    let imds = imds(serving());
    token(&imds, "60");
    for path in [ROLE, ROLES_PATH, REGION_PATH, DOCUMENT_PATH, "/", "/latest"] {
        let line = format!("GET {path}");
        for headers in [&[][..], &[("x-aws-ec2-metadata-token", "")]] {
            let answer = ask(&imds, &line, headers);
            assert_eq!(answer.status, 401, "{path}: {}", answer.body);
            assert!(!answer.body.contains("s3cr3t"));
        }
    }
}

#[test]
fn forwarded_requests_and_foreign_names_get_no_token() {
    let imds = imds(serving());
    let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    for header in [
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("host", "evil.example:9911"),
    ] {
        let answer = ask(&imds, "PUT /latest/api/token", &[ttl, header]);
        assert_eq!(answer.status, 403, "{header:?}");
    }
}

#[test]
fn the_only_role_is_the_first_grant_without_a_newline() {
    let imds = imds(serving());
    for path in [ROLES_PATH.to_owned(), format!("{ROLES_PATH}/")] {
        let answer = get(&imds, &path);
        assert_eq!((answer.status, answer.body.as_str()), (200, "bedrock"));
    }
    for other in ["second", "", "bedrock/", "../bedrock"] {
        let answer = get(&imds, &format!("{ROLES_PATH}/x{other}"));
        assert_eq!(answer.status, 404);
    }
    assert_eq!(get(&imds, &format!("{ROLES_PATH}/second")).status, 404);
    assert_eq!(get(&imds, &format!("{ROLES_PATH}x")).status, 404);
}

#[test]
fn the_role_document_has_the_form_every_sdk_reads() {
    let answer = get(&imds(serving()), ROLE);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let expected = serde_json::json!({
        "Code": "Success",
        "LastUpdated": "2026-11-22T05:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "s3cr3t",
        "Token": "tok3n",
        "Expiration": "2026-11-22T06:00:00Z",
    });
    assert_eq!(body, expected);
}

#[test]
fn region_and_document_are_the_grants() {
    let imds = imds(serving());
    assert_eq!(get(&imds, REGION_PATH).body, "us-east-1");
    let document: serde_json::Value =
        serde_json::from_str(&get(&imds, DOCUMENT_PATH).body).unwrap();
    assert_eq!(document["region"], "us-east-1");
}

#[test]
fn what_is_wrong_stands_in_the_document() {
    for (state, code) in [
        (
            State::Refused(Refusal::OtherGrant("x".to_owned())),
            "AccessDenied",
        ),
        (State::START, "NoSession"),
    ] {
        let imds = imds(state);
        let answer = get(&imds, ROLE);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["Code"]), (200, &code.into()));
        assert!(
            body["Message"]
                .as_str()
                .unwrap()
                .starts_with("grant bedrock: ")
        );
        assert_eq!(get(&imds, REGION_PATH).status, 404);
    }
}

#[test]
fn other_methods_are_told_the_right_one() {
    let imds = imds(serving());
    for (line, status) in [
        ("GET /latest/api/token", 405),
        ("POST /latest/api/token", 405),
        ("PUT /latest/meta-data/placement/region", 405),
    ] {
        assert_eq!(ask(&imds, line, &[]).status, status, "{line}");
    }
}

#[test]
fn whoever_takes_many_tokens_takes_the_place_of_those_that_end_first() {
    let imds = imds(serving());
    let short = token(&imds, "60").body;
    let long = token(&imds, "21600").body;
    for _ in 0..TOKENS - 1 {
        token(&imds, "3600");
    }
    let line = format!("GET {REGION_PATH}");
    let of = |token: &str| ask(&imds, &line, &[("x-aws-ec2-metadata-token", token)]).status;
    assert_eq!((of(&short), of(&long)), (401, 200));
}
