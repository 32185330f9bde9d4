//! The calls, against a scripted API server.

use super::*;
use crate::{
    clock,
    fixtures::{grant, now, secret_metadata, session},
    scripted::{api, list, patched, refusal, stored},
    session_secret::body::{revoked, serving},
};
use alter_protocol::Revocation;
use serde_json::{Value, json};
use tokio::time::Instant;

fn leading() -> Fence {
    let fence = Fence::new();
    fence.open(Instant::now(), clock::now());
    fence
}

fn body() -> Body {
    serving(
        &grant(),
        &session("2026-11-22T05:00:00Z"),
        "arn:r",
        "d2",
        now(),
    )
}

fn empty() -> Body {
    let revocation = Revocation {
        reason: "Suspended".to_owned(),
        message: "m".to_owned(),
    };
    revoked(&grant(), revocation, None, now())
}

/// As the API server has it, after a first write or an apply.
fn existing(operation: &str) -> Value {
    let mut metadata = serde_json::to_value(secret_metadata("g-1")).unwrap();
    metadata["managedFields"] = json!([
        {"manager": "kubectl", "operation": "Update"},
        {"manager": field_manager::SECRET, "operation": operation, "fieldsV1": {"f:data": {}}},
    ]);
    metadata
}

const SECRETS: &str = "/api/v1/namespaces/team-a/secrets";
const SECRET: &str = "/api/v1/namespaces/team-a/secrets/bedrock-aws";

#[tokio::test]
async fn the_first_write_is_a_create_whose_answer_holds_no_secret() {
    let (client, log) = api(stored);
    let facts = Writer::new(client, leading())
        .create(&body())
        .await
        .unwrap();
    assert_eq!(facts.served.unwrap().digest, "d2");
    assert_eq!(log.lines(), [format!("POST {SECRETS}")]);
    let asked = log.at(0);
    assert!(
        asked.query.contains("fieldManager=alter-operator%2Fsecret"),
        "{}",
        asked.query
    );
    assert_eq!(asked.body["type"], "alter.dev/aws-session");
    assert_eq!(asked.body["data"].as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn whatever_has_the_name_is_left_alone() {
    let (client, _) = api(|_| refusal(409, "AlreadyExists"));
    let error = Writer::new(client, leading())
        .create(&body())
        .await
        .unwrap_err();
    assert!(matches!(error, WriteError::Raced { .. }), "{error}");
}

#[tokio::test]
async fn an_apply_carries_the_uid_and_only_where_asked_the_version() {
    for (since, version) in [
        (Since::SameObject, Value::Null),
        (Since::SameVersion, json!("7")),
    ] {
        let (client, log) = api(|asked| match asked.method.as_str() {
            "GET" => list(&[existing("Apply")]),
            _ => stored(asked),
        });
        let writer = Writer::new(client, leading());
        let live = writer.look("team-a", "bedrock-aws").await.unwrap().unwrap();
        writer.replace(&live, &body(), since).await.unwrap();
        assert_eq!(
            log.lines(),
            [format!("GET {SECRETS}"), format!("PATCH {SECRET}")]
        );
        assert!(
            log.at(0)
                .query
                .contains("fieldSelector=metadata.name%3Dbedrock-aws")
        );
        let patch = log.at(1);
        assert_eq!(patch.content, "application/json-patch+json");
        assert_eq!(
            patch.body[0],
            json!({"op": "test", "path": "/metadata/uid", "value": "s-1"})
        );
        assert_eq!(patched(&patch, "/metadata/resourceVersion"), version);
    }
}

#[tokio::test]
async fn a_later_write_leaves_nothing_of_what_stood_there() {
    let (client, log) = api(|asked| match asked.method.as_str() {
        "GET" => list(&[existing("Update")]),
        _ => stored(asked),
    });
    let writer = Writer::new(client, leading());
    let live = writer.look("team-a", "bedrock-aws").await.unwrap().unwrap();
    writer
        .replace(&live, &empty(), Since::SameObject)
        .await
        .unwrap();
    let patch = log.at(1);
    let data = patched(&patch, "/data");
    assert_eq!(
        data.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["grant.json"]
    );
    for whole in ["/data", "/metadata/labels", "/metadata/annotations"] {
        let operation = patch
            .body
            .as_array()
            .unwrap()
            .iter()
            .find(|own| own["path"] == whole);
        assert_eq!(operation.unwrap()["op"], "add", "which replaces it whole");
    }
}

#[tokio::test]
async fn an_immutable_secret_is_made_anew() {
    let (client, log) = api(|asked| match asked.method.as_str() {
        "GET" => list(&[existing("Update")]),
        "PATCH" => refusal(
            422,
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        "DELETE" => (
            200,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
        ),
        _ => stored(asked),
    });
    let writer = Writer::new(client, leading());
    let live = writer.look("team-a", "bedrock-aws").await.unwrap().unwrap();
    writer
        .replace(&live, &empty(), Since::SameObject)
        .await
        .unwrap();
    let made = [
        format!("PATCH {SECRET}"),
        format!("DELETE {SECRET}"),
        format!("POST {SECRETS}"),
    ];
    assert_eq!(log.lines()[1..], made);
}

#[tokio::test]
async fn nothing_is_written_where_this_process_does_not_lead() {
    let (client, log) = api(|_| list(&[existing("Apply")]));
    let writer = Writer::new(client, Fence::new());
    let live = writer.look("team-a", "bedrock-aws").await.unwrap().unwrap();
    let apply = writer.replace(&live, &body(), Since::SameObject).await;
    assert!(matches!(apply, Err(WriteError::Fenced(_))));
    assert!(matches!(
        writer.create(&body()).await,
        Err(WriteError::Fenced(_))
    ));
    assert!(matches!(
        writer.remove(&live).await,
        Err(WriteError::Fenced(_))
    ));
    assert_eq!(log.lines().len(), 1, "the look alone");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_while_this_process_goes_on_leading_has_failed() {
    let fence = leading();
    let (client, _) = api(stored);
    let writer = Writer::new(client, fence.clone());
    let renewals = async {
        for _ in 0..10 {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            fence.open(Instant::now(), clock::now());
        }
    };
    let hanging = writer.run("team-a/bedrock-aws", std::future::pending::<()>());
    let (answer, ()) = tokio::join!(hanging, renewals);
    let error = answer.unwrap_err();
    assert!(matches!(error, WriteError::Slow { .. }), "{error}");
    assert_eq!(error.category(), "SecretWriteFailed");
}

#[tokio::test]
async fn a_removal_is_of_the_version_that_was_looked_at() {
    let (client, log) = api(|asked| match asked.method.as_str() {
        "GET" => list(&[existing("Apply")]),
        _ => (
            200,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
        ),
    });
    let writer = Writer::new(client, leading());
    let live = writer.look("team-a", "bedrock-aws").await.unwrap().unwrap();
    writer.remove(&live).await.unwrap();
    let conditions = json!({"uid": "s-1", "resourceVersion": "7"});
    assert_eq!(log.at(1).body["preconditions"], conditions);
}

#[tokio::test]
async fn a_refusal_says_what_to_look_at_and_shows_no_secret() {
    let (client, _) = api(|_| refusal(403, "exceeded quota"));
    let error = Writer::new(client, leading())
        .create(&body())
        .await
        .unwrap_err();
    assert_eq!(error.category(), "SecretWriteFailed");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("exceeded quota") && text.contains("quota leaves room"),
        "{text}"
    );
    let shown = error.to_string();
    assert!(
        shown.contains("(403 ") && !shown.contains("Status {"),
        "{shown}"
    );
    assert!(!text.contains("s3cr3t"));
}
