//! What of a grant and a session stands in which key of the Secret.

use super::*;
use crate::fixtures;
use base64::{Engine, engine::general_purpose::STANDARD};

fn decoded(body: &Body) -> BTreeMap<String, String> {
    let json = serde_json::to_value(body).unwrap();
    let data = json["data"].as_object().unwrap();
    data.iter()
        .map(|(key, value)| {
            let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
            (key.clone(), String::from_utf8(bytes).unwrap())
        })
        .collect()
}

#[test]
fn a_session_fills_three_keys_and_the_annotations() {
    let grant = fixtures::grant();
    let session = fixtures::session("2026-11-22T05:00:00Z");
    let body = serving(&grant, &session, "arn:r", "d1", fixtures::now());
    let data = decoded(&body);
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        ["credentials", "credentials.json", "grant.json"]
    );
    assert!(data["credentials.json"].contains("\"SecretAccessKey\":\"s3cr3t\""));
    assert!(data["credentials"].starts_with("[bedrock]\n"));
    assert!(data["credentials"].contains("\n[default]\n"));
    let facts = Facts::read(&body.metadata).unwrap();
    assert_eq!(
        (facts.grant.as_str(), facts.grant_uid.as_str()),
        ("bedrock", "g-1")
    );
    let served = facts.served.unwrap();
    assert_eq!(
        (served.digest.as_str(), served.issued_at),
        ("d1", fixtures::now())
    );
    assert_eq!(
        serde_json::to_value(&body).unwrap()["type"],
        "alter.dev/aws-session"
    );
}

#[test]
fn env_adds_the_variables_of_the_sdks() {
    let mut grant = fixtures::grant();
    grant.spec.secret_template = Some(alter_crds::grant::SecretTemplate {
        env: true,
        ..Default::default()
    });
    let session = fixtures::session("2026-11-22T05:00:00Z");
    let data = decoded(&serving(&grant, &session, "arn:r", "d1", fixtures::now()));
    assert_eq!(data["AWS_SECRET_ACCESS_KEY"], "s3cr3t");
    assert_eq!(data["AWS_DEFAULT_REGION"], "us-east-1");
    assert_eq!(data.len(), 8);
}

#[test]
fn the_template_never_outranks_alters_own_marks() {
    let mut grant = fixtures::grant();
    let pair = |key: &str| BTreeMap::from([(key.to_owned(), "theirs".to_owned())]);
    let mut with = |labels, annotations| {
        grant.spec.secret_template = Some(alter_crds::grant::SecretTemplate {
            labels,
            annotations,
            env: false,
        });
        let session = fixtures::session("2026-11-22T05:00:00Z");
        serving(&grant, &session, "arn:r", "d", fixtures::now()).metadata
    };
    let metadata = with(pair("team"), pair("note"));
    assert_eq!(metadata.labels.unwrap()["team"], "theirs");
    assert_eq!(metadata.annotations.unwrap()["note"], "theirs");
    let metadata = with(pair(label::MANAGED_BY), pair(secret::GRANT_UID));
    assert_eq!(Facts::read(&metadata).unwrap().grant_uid, "g-1");
    assert_eq!(metadata.labels.unwrap()[label::MANAGED_BY], label::OPERATOR);
}

#[test]
fn a_template_that_the_api_server_refuses_keeps_no_session_from_being_taken_away() {
    let mut grant = fixtures::grant();
    grant.spec.secret_template = Some(alter_crds::grant::SecretTemplate {
        labels: [("no label".to_owned(), String::new())].into(),
        annotations: [("note".to_owned(), "x".repeat(300_000))].into(),
        env: false,
    });
    let revocation = Revocation {
        reason: "Suspended".to_owned(),
        message: "m".to_owned(),
    };
    let metadata = revoked(&grant, revocation, None, fixtures::now()).metadata;
    assert_eq!(metadata.labels.unwrap().len(), 2);
    assert!(!metadata.annotations.unwrap().contains_key("note"));
}

#[test]
fn taking_away_leaves_grant_json_alone() {
    let revocation = Revocation {
        reason: "Suspended".to_owned(),
        message: "m".to_owned(),
    };
    let body = revoked(
        &fixtures::grant(),
        revocation.clone(),
        None,
        fixtures::now(),
    );
    let data = decoded(&body);
    assert_eq!(data.keys().collect::<Vec<_>>(), ["grant.json"]);
    let document = GrantDocument::from_json(data["grant.json"].as_bytes()).unwrap();
    assert_eq!(document.revoked, Some(revocation));
    let facts = Facts::read(&body.metadata).unwrap();
    assert_eq!(
        (facts.served, facts.revoked.unwrap().reason.as_str()),
        (None, "Suspended")
    );
}

#[test]
fn a_grant_named_default_has_one_profile() {
    assert_eq!(profiles("default"), ["default"]);
    assert_eq!(profiles("bedrock"), ["bedrock", "default"]);
}

#[test]
fn debug_shows_no_value() {
    let session = fixtures::session("2026-11-22T05:00:00Z");
    let body = serving(&fixtures::grant(), &session, "arn:r", "d1", fixtures::now());
    let shown = format!("{body:?}");
    assert!(
        !shown.contains("s3cr3t") && !shown.contains(&STANDARD.encode("s3cr3t")),
        "{shown}"
    );
    assert!(shown.contains("credentials.json"));
}
