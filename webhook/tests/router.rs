//! The router as the API server sees it, without TLS, over a scripted API server.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod served;

use alter_webhook::router::{MUTATE_PODS, VALIDATE_GRANTS, VALIDATE_IDENTITIES};
use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use kube::client::Body as KubeBody;
use serde_json::{Value, json};
use served::{grant_json, identity_json, pod, post, review, webhook};
use tower::ServiceExt;

fn patched(pod: &Value, response: &Value) -> Value {
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

fn region(pod: &Value) -> &Value {
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let region = env.iter().find(|own| own["name"] == "AWS_REGION");
    region.map_or(&Value::Null, |own| &own["value"])
}

#[tokio::test]
async fn an_annotated_pod_is_patched() {
    let webhook = webhook();
    let pod = pod("bedrock");
    let response = webhook.ask(MUTATE_PODS, &review("CREATE", &pod)).await;
    let after = patched(&pod, &response);
    assert_eq!(after["spec"]["initContainers"][0]["name"], "alter-agent");
    assert_eq!(region(&after), "us-east-1");
    assert!(
        response.get("warnings").is_none() && response.get("status").is_none(),
        "{response}"
    );
    let metrics = webhook.metrics();
    let expected =
        r#"alter_webhook_admissions_total{path="/mutate-pods",outcome="patched",reason=""} 1"#;
    assert!(metrics.contains(expected), "{metrics}");
    assert!(
        metrics.contains("alter_webhook_admission_duration_seconds_count"),
        "{metrics}"
    );
    // Its own output is left alone.
    let response = webhook.ask(MUTATE_PODS, &review("CREATE", &after)).await;
    assert_eq!(response, json!({"uid": "question-1", "allowed": true}));
}

#[tokio::test]
async fn what_is_not_the_creation_of_an_annotated_pod_is_left_alone() {
    let webhook = webhook();
    let mut plain = pod("bedrock");
    plain["metadata"]["annotations"] = json!({"team": "a"});
    let mut bare = pod("bedrock");
    bare["metadata"]["annotations"] = Value::Null;
    let mut subresource = review("CREATE", &pod("bedrock"));
    subresource["request"]["subResource"] = "eviction".into();
    let mut deleted = review("DELETE", &Value::Null);
    deleted["request"]["oldObject"] = pod("bedrock");
    for review in [
        review("CREATE", &plain),
        review("CREATE", &bare),
        review("UPDATE", &pod("bedrock")),
        // Even one that would be denied when created.
        review("UPDATE", &pod("No Name")),
        subresource,
        deleted,
    ] {
        let response = webhook.ask(MUTATE_PODS, &review).await;
        assert_eq!(
            response,
            json!({"uid": "question-1", "allowed": true}),
            "{review}"
        );
    }
}

#[tokio::test]
async fn a_denial_says_so_to_whoever_runs_kubectl() {
    let webhook = webhook();
    let response = webhook.ask(MUTATE_PODS, &review("CREATE", &pod(""))).await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["reason"], "Forbidden");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("alter: annotation alter.dev/grant names nothing"),
        "{message}"
    );
    assert!(response.get("patch").is_none());
    let metrics = webhook.metrics();
    let expected = r#"outcome="denied",reason="InvalidAnnotation"} 1"#;
    assert!(metrics.contains(expected), "{metrics}");
}

fn answer(status: u16, body: &Value) -> Response<KubeBody> {
    Response::builder()
        .status(status)
        .body(KubeBody::from(body.to_string().into_bytes()))
        .unwrap()
}

/// What the webhook decides of a pod whose grant the API server answers for so.
async fn with_late_grant(answer: Response<KubeBody>) -> (Value, Value) {
    let mut webhook = webhook();
    let pod = pod("late");
    let question = review("CREATE", &pod);
    let api_server = async {
        let (request, send) = webhook.api_server.next_request().await.unwrap();
        send.send_response(answer);
        request.uri().to_string()
    };
    let router = webhook.router.clone();
    let asked = async {
        let answer = router
            .oneshot(post(MUTATE_PODS, question.to_string()))
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()["response"].clone()
    };
    let (uri, response) = tokio::join!(api_server, asked);
    assert_eq!(
        uri,
        "/apis/alter.dev/v1alpha1/namespaces/team-a/awsgrants/late"
    );
    (pod, response)
}

#[tokio::test]
async fn a_grant_that_the_cache_has_not_seen_yet_is_asked_for() {
    let (pod, response) = with_late_grant(answer(200, &grant_json("late"))).await;
    assert_eq!(region(&patched(&pod, &response)), "us-east-1");
    assert!(response.get("warnings").is_none(), "{response}");
}

#[tokio::test]
async fn a_grant_that_does_not_exist_yet_is_a_warning() {
    let (pod, response) = with_late_grant(served::not_found()).await;
    assert_eq!(region(&patched(&pod, &response)), &Value::Null);
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains("\"late\" does not exist yet"), "{warning}");
}

#[tokio::test]
async fn a_pod_whose_grant_cannot_be_looked_up_is_denied_for_now() {
    let failed = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
        "reason": "InternalError", "message": "etcd is away",
    });
    let (_, response) = with_late_grant(answer(500, &failed)).await;
    assert_eq!(response["status"]["code"], 503, "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("AwsGrant \"late\"") && message.contains("try again"),
        "{message}"
    );
}

#[tokio::test]
async fn a_grant_that_cannot_be_decoded_denies_its_own_pods_alone() {
    let mut broken = grant_json("late");
    broken["spec"]["region"] = 7.into();
    let (_, response) = with_late_grant(answer(200, &broken)).await;
    assert_eq!(response["status"]["code"], 403, "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("AwsGrant \"late\" cannot be read"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_not_waited_for_longer_than_it_waits() {
    let webhook = webhook();
    let started = tokio::time::Instant::now();
    let response = webhook
        .ask(MUTATE_PODS, &review("CREATE", &pod("late")))
        .await;
    assert!(started.elapsed().as_secs() < 10);
    assert_eq!(response["status"]["code"], 503, "{response}");
    let metrics = webhook.metrics();
    assert!(
        metrics.contains(r#"reason="LookupTimedOut"} 1"#),
        "{metrics}"
    );
}

/// The chart gives a grant's review 5 s, and then takes the grant as it is.
#[tokio::test(start_paused = true)]
async fn a_grants_review_waits_for_all_that_it_looks_up_at_once() {
    let webhook = webhook();
    let mut grant = grant_json("new");
    grant["spec"]["identity"] = "unknown".into();
    let mut question = review("CREATE", &grant);
    question["request"]["namespace"] = "elsewhere".into();
    let started = tokio::time::Instant::now();
    let response = webhook.ask(VALIDATE_GRANTS, &question).await;
    assert_eq!(started.elapsed().as_secs(), 3);
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains("\"unknown\" was not checked"), "{warning}");
}

#[tokio::test]
async fn what_is_no_review_is_refused_with_the_reason() {
    let webhook = webhook();
    let mut old = review("CREATE", &pod("bedrock"));
    old["apiVersion"] = "admission.k8s.io/v1beta1".into();
    let mut answer = review("CREATE", &pod("bedrock"));
    answer["request"] = Value::Null;
    let mut strange = review("CREATE", &pod("bedrock"));
    strange["request"]["object"]["spec"]["containers"] = 7.into();
    let strange = strange.to_string();
    for (body, expected) in [
        (String::new(), "the body is no AdmissionReview"),
        ("{".to_owned(), "the body is no AdmissionReview"),
        ("[]".to_owned(), "the body is"),
        (
            "{}".to_owned(),
            "send an AdmissionReview of admission.k8s.io/v1",
        ),
        (
            old.to_string(),
            "of apiVersion \"admission.k8s.io/v1beta1\": send",
        ),
        (answer.to_string(), "has no request"),
        (strange.clone(), "the body is no AdmissionReview"),
    ] {
        for path in [MUTATE_PODS, VALIDATE_GRANTS, VALIDATE_IDENTITIES] {
            if path != MUTATE_PODS && body == strange {
                continue;
            }
            let (status, text) = webhook.send(post(path, body.clone())).await;
            let text = String::from_utf8(text).unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }
    let mut crowd = pod("bedrock");
    crowd["spec"]["containers"] = vec![json!({}); 129].into();
    let crowd = review("CREATE", &crowd).to_string();
    let (status, text) = webhook.send(post(MUTATE_PODS, crowd)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("a list of at most 128 entries"), "{text}");
    let request = Request::post(MUTATE_PODS).body(Body::from("{}")).unwrap();
    let (status, text) = webhook.send(request).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("send application/json")
    );
    let (status, _) = webhook
        .send(Request::get(MUTATE_PODS).body(Body::empty()).unwrap())
        .await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let (status, _) = webhook.send(post("/", "{}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_grant_within_the_rules_passes_and_one_outside_names_the_rule() {
    let webhook = webhook();
    let mut new = grant_json("new");
    let response = webhook.ask(VALIDATE_GRANTS, &review("CREATE", &new)).await;
    assert_eq!(response, json!({"uid": "question-1", "allowed": true}));
    new["spec"]["roleArn"] = "arn:aws:iam::111122223333:role/admin".into();
    let response = webhook.ask(VALIDATE_GRANTS, &review("CREATE", &new)).await;
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("alter: AwsIdentity \"default\" does not allow this grant: roleArn: arn:aws:iam::111122223333:role/admin")
            && message.contains("spec.allow[0]"),
        "{message}"
    );
    // Its labels and finalizers may change, and it may be suspended and deleted.
    let mut labelled = review("UPDATE", &new);
    labelled["request"]["oldObject"] = new.clone();
    labelled["request"]["object"]["metadata"]["labels"] = json!({"a": "b"});
    let mut suspended = review("UPDATE", &new);
    suspended["request"]["oldObject"] = new.clone();
    suspended["request"]["object"]["spec"]["suspend"] = true.into();
    let mut deleted = review("DELETE", &Value::Null);
    deleted["request"]["oldObject"] = new.clone();
    for review in [labelled, suspended, deleted] {
        let response = webhook.ask(VALIDATE_GRANTS, &review).await;
        assert_eq!(
            response,
            json!({"uid": "question-1", "allowed": true}),
            "{review}"
        );
    }
    let mut widened = review("UPDATE", &new);
    widened["request"]["oldObject"] = grant_json("new");
    let response = webhook.ask(VALIDATE_GRANTS, &widened).await;
    assert_eq!(response["allowed"], false);
}

#[tokio::test]
async fn a_new_grant_does_not_take_another_ones_secret() {
    let webhook = webhook();
    let mut new = grant_json("new");
    new["spec"]["secretName"] = "bedrock-aws".into();
    let response = webhook.ask(VALIDATE_GRANTS, &review("CREATE", &new)).await;
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("spec.secretName: Secret \"bedrock-aws\" is that of AwsGrant \"bedrock\""),
        "{message}"
    );
    // The grant itself keeps it.
    let own = review("CREATE", &grant_json("bedrock"));
    assert_eq!(webhook.ask(VALIDATE_GRANTS, &own).await["allowed"], true);
}

#[tokio::test]
async fn an_identity_is_validated() {
    let webhook = webhook();
    let mut identity = identity_json();
    let response = webhook
        .ask(VALIDATE_IDENTITIES, &review("CREATE", &identity))
        .await;
    assert_eq!(response, json!({"uid": "question-1", "allowed": true}));
    let before = identity.clone();
    identity["spec"]["session"] = json!({"name": "{node}"});
    let mut question = review("UPDATE", &identity);
    question["request"]["oldObject"] = before;
    let response = webhook.ask(VALIDATE_IDENTITIES, &question).await;
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("alter: spec.session.name: {node} stands for nothing"),
        "{message}"
    );
    // What is there already may be labelled, and go.
    question["request"]["oldObject"] = identity.clone();
    assert_eq!(
        webhook.ask(VALIDATE_IDENTITIES, &question).await["allowed"],
        true
    );
    identity["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let response = webhook
        .ask(VALIDATE_IDENTITIES, &review("UPDATE", &identity))
        .await;
    assert_eq!(response["allowed"], true);
    // An object of a shape that is none of the kind's.
    identity["spec"] = json!({"region": 7});
    identity["metadata"]["deletionTimestamp"] = Value::Null;
    let response = webhook
        .ask(VALIDATE_IDENTITIES, &review("CREATE", &identity))
        .await;
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("the object cannot be read"), "{message}");
}
