//! The default chain in processes of their own, with each source that it knows behind a small server that
//! speaks the source's protocol.

use crate::{
    Settings, Source, Sts,
    test_sts::{Answer, Call, TestSts},
};
use axum::{
    Router,
    extract::{Path as Captured, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;

/// Runs [`child`], which asks an STS twice who it is, in a process with an environment of its own.
fn ambient(sts: &TestSts, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ambient_tests::child", "--nocapture"])
        .env_clear()
        .env("TEST_STS", sts.url())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn child() {
    let Some(url) = std::env::var_os("TEST_STS") else {
        return;
    };
    let sts = Sts::new(Settings {
        region: "us-east-1".to_owned(),
        endpoint: Some(url.into_string().unwrap()),
        source: Source::Ambient,
    })
    .await;
    for _ in 0..2 {
        match sts.caller_identity().await {
            Ok(caller) => println!("caller {}", caller.arn),
            Err(error) => println!("{:?} {error}", error.class()),
        }
    }
}

const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
/// Within what the SDK takes for expired, so that the second call asks the source again.
const SOON: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2099-01-01T00:00:00Z";

async fn sts() -> TestSts {
    TestSts::start(|_| Answer::Success).await.unwrap()
}

fn signers(sts: &TestSts) -> Vec<String> {
    let calls = sts.calls().into_iter();
    calls.map(|call| call.access_key_id).collect()
}

/// A file with a token, which the kubelet or Alter's tests replace.
struct TokenFile {
    folder: TempDir,
}

impl TokenFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = Self { folder };
        rotate(&own.path(), 0);
        own
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn text(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }
}

/// No newline at its end: SDKs refuse to send one.
fn rotate(file: &Path, number: usize) {
    std::fs::write(file, format!("token-{number}")).unwrap();
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_environment() {
    let sts = sts().await;
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        NO_METADATA,
    ];
    let said = ambient(&sts, &key);
    assert!(said.contains("caller arn:aws:iam::"), "{said}");
    assert_eq!(signers(&sts), ["AKIAENV", "AKIAENV"]);
}

/// IRSA: a projected token, which is read anew for each session.
#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_whose_token_is_rotated() {
    let file = TokenFile::new();
    let path = file.path();
    let sts = TestSts::start(move |call: &Call| {
        if call.action == "AssumeRoleWithWebIdentity" {
            rotate(&path, call.index + 1);
        }
        Answer::Until(SOON.to_owned())
    })
    .await
    .unwrap();
    let said = irsa(&sts, &file);
    let caller = "caller arn:aws:sts::111122223333:assumed-role/alter/";
    assert_eq!(said.matches(caller).count(), 2, "{said}");
    let calls = sts.calls();
    let actions: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    let each = ["AssumeRoleWithWebIdentity", "GetCallerIdentity"];
    assert_eq!(actions, [each, each].concat());
    assert_eq!(calls[0].access_key_id, "", "no key signs it");
    let role = Some("arn:aws:iam::111122223333:role/alter");
    assert_eq!(calls[0].parameter("RoleArn"), role);
    assert_eq!(calls[0].parameter("WebIdentityToken"), Some("token-0"));
    assert_eq!(calls[2].parameter("WebIdentityToken"), Some("token-1"));
    assert_eq!(calls[3].access_key_id, "ASIATEST1");
    assert_eq!(calls[3].session_token, "token-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_that_is_refused_is_the_sources_fault() {
    for code in [
        "AccessDenied",
        "InvalidIdentityToken",
        "ExpiredTokenException",
    ] {
        let answer = Answer::Error(400, code, "as AWS says it");
        let sts = TestSts::start(move |_| answer.clone()).await.unwrap();
        let said = irsa(&sts, &TokenFile::new());
        assert!(said.contains("SourceRejected"), "{code}: {said}");
        let text = format!("{code}: as AWS says it");
        assert!(said.contains(&text), "{said}");
    }
}

fn irsa(sts: &TestSts, file: &TokenFile) -> String {
    ambient(
        sts,
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &file.text()),
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/alter"),
            ("AWS_ENDPOINT_URL_STS", &sts.url()),
            NO_METADATA,
        ],
    )
}

/// What a small server of credentials knows.
#[derive(Clone)]
struct Keeper {
    asked: Arc<AtomicUsize>,
    token: PathBuf,
}

impl Keeper {
    fn new(token: PathBuf) -> Self {
        Self {
            asked: Arc::default(),
            token,
        }
    }
}

/// The EKS Pod Identity Agent: its token in the header, its refusals as plain text.
async fn pod_identity(State(agent): State<Keeper>, headers: HeaderMap) -> Response {
    let expected = std::fs::read_to_string(&agent.token).unwrap();
    let shown = headers.get(header::AUTHORIZATION);
    if shown.is_none_or(|shown| *shown != *expected) {
        return (
            StatusCode::BAD_REQUEST,
            "Service account token failed basic claim validations",
        )
            .into_response();
    }
    let number = agent.asked.fetch_add(1, Ordering::SeqCst);
    rotate(&agent.token, number + 1);
    let document = json!({
        "AccessKeyId": format!("ASIAPOD{number}"), "SecretAccessKey": "s", "Token": format!("pod-{number}"),
        "AccountId": "111122223333", "Expiration": if number == 0 { SOON } else { LATE },
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        document.to_string(),
    )
        .into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn eks_pod_identity_whose_token_is_rotated() {
    let (sts, file) = (sts().await, TokenFile::new());
    let agent = Keeper::new(file.path());
    let router = Router::new().route("/v1/credentials", get(pod_identity));
    let url = serve(router.with_state(agent.clone())).await;
    let environment = [
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &*format!("{url}/v1/credentials"),
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*file.text()),
        NO_METADATA,
    ];
    let said = ambient(&sts, &environment);
    assert_eq!(said.matches("caller arn:").count(), 2, "{said}");
    assert_eq!(signers(&sts), ["ASIAPOD0", "ASIAPOD1"]);
    assert_eq!(sts.calls()[1].session_token, "pod-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_refuses_says_what_to_check() {
    let (sts, file) = (sts().await, TokenFile::new());
    let refuse = || async { (StatusCode::FORBIDDEN, "no association") };
    let url = serve(Router::new().route("/v1/credentials", get(refuse))).await;
    let environment = [
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &*format!("{url}/v1/credentials"),
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*file.text()),
        NO_METADATA,
    ];
    let said = ambient(&sts, &environment);
    assert!(
        said.contains("the operator's own credentials are not to be had"),
        "{said}"
    );
    assert!(sts.calls().is_empty());
}

const METADATA_TOKEN: &str = "metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Instance metadata, version 2 alone.
fn instance_metadata() -> Router {
    async fn token(headers: HeaderMap) -> Response {
        let ttl = headers
            .get(TTL)
            .and_then(|ttl| ttl.to_str().ok()?.parse().ok());
        match ttl {
            Some(1..=21_600_u32) if !headers.contains_key("x-forwarded-for") => {
                ([(TTL, headers[TTL].clone())], METADATA_TOKEN).into_response()
            }
            _ => StatusCode::BAD_REQUEST.into_response(),
        }
    }
    fn knows(headers: &HeaderMap) -> bool {
        headers
            .get("x-aws-ec2-metadata-token")
            .is_some_and(|token| token == METADATA_TOKEN)
    }
    async fn roles(headers: HeaderMap) -> Response {
        if knows(&headers) {
            "node-role".into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    }
    async fn role(Captured(role): Captured<String>, headers: HeaderMap) -> Response {
        if !knows(&headers) || role != "node-role" {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let document = json!({
            "Code": "Success", "LastUpdated": "2026-11-22T00:00:00Z", "Type": "AWS-HMAC",
            "AccessKeyId": "ASIANODE", "SecretAccessKey": "s", "Token": "node", "Expiration": LATE,
        });
        document.to_string().into_response()
    }
    let folder = "/latest/meta-data/iam/security-credentials/";
    Router::new()
        .route("/latest/api/token", put(token))
        .route(folder, get(roles))
        .route(&format!("{folder}{{role}}"), get(role))
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_metadata_of_version_2() {
    let sts = sts().await;
    let url = serve(instance_metadata()).await;
    let environment = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)];
    let said = ambient(&sts, &environment);
    assert_eq!(said.matches("caller arn:").count(), 2, "{said}");
    assert_eq!(signers(&sts), ["ASIANODE", "ASIANODE"]);
    assert_eq!(sts.calls()[0].session_token, "node");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_without_a_role_says_how_to_give_one() {
    let sts = sts().await;
    let gone = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
    let url = serve(gone).await;
    let said = ambient(&sts, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    assert!(said.contains("credentials are not to be had"), "{said}");
    assert!(sts.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_at_all_says_how_to_give_some() {
    let sts = sts().await;
    let said = ambient(&sts, &[NO_METADATA]);
    assert!(said.contains("SourceRejected"), "{said}");
    assert!(
        said.contains("give the operator's service account a role"),
        "{said}"
    );
    assert!(sts.calls().is_empty());
}

/// What the README says is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_the_identity_center_is_refused_by_name() {
    let sts = sts().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let profile = "[default]\nsso_account_id = 111122223333\nsso_role_name = a\nsso_region = us-east-1\n\
                   sso_start_url = https://a.example/start\n";
    std::fs::write(&file, profile).unwrap();
    let environment = [("AWS_CONFIG_FILE", file.to_str().unwrap()), NO_METADATA];
    let said = ambient(&sts, &environment);
    assert!(
        said.contains("SourceRejected") && said.contains("sso"),
        "{said}"
    );
    assert!(sts.calls().is_empty());
}
