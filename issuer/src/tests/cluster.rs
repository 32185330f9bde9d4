//! An API server that knows one Secret and one service account.

use crate::{Issuer, Options};
use http::{Method, Request, Response};
use k8s_openapi::ByteString;
use kube::client::Body;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tower_test::mock;

/// The Secret as the API server has it: its version and access key id, or the status that it answers.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    Key(&'static str, &'static str),
    /// The version, and PEM texts.
    Certificate(&'static str, &'static str, &'static str),
    Status(u16),
}

/// What the API server does about tokens of the service account `alter-aws`.
#[derive(Clone, Copy)]
pub(super) enum Account {
    /// Gives them: `hunter-0`, `hunter-1`, …
    Present,
    /// Answers with that status.
    Status(u16),
    /// Never answers.
    Silent,
}

const SECRET: &str = "/api/v1/namespaces/alter/secrets/alter-key";
const TOKEN: &str = "/api/v1/namespaces/alter/serviceaccounts/alter-aws/token";

pub(super) struct Cluster {
    stored: Arc<Mutex<Stored>>,
    account: Arc<Mutex<Account>>,
    reads: Arc<AtomicUsize>,
    tokens: Arc<Mutex<Vec<Value>>>,
    client: kube::Client,
}

impl Cluster {
    pub(super) fn new(stored: Stored) -> Self {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let stored = Arc::new(Mutex::new(stored));
        let account = Arc::new(Mutex::new(Account::Present));
        let reads = Arc::<AtomicUsize>::default();
        let tokens = Arc::<Mutex<Vec<Value>>>::default();
        let (state, accounts) = (stored.clone(), account.clone());
        let (count, given) = (reads.clone(), tokens.clone());
        tokio::spawn(async move {
            let mut unanswered = Vec::new();
            while let Some((request, send)) = handle.next_request().await {
                let method = request.method().clone();
                match (method, request.uri().path()) {
                    (Method::GET, SECRET) => {
                        count.fetch_add(1, Ordering::SeqCst);
                        let stored = *state.lock().unwrap();
                        send.send_response(secret(stored));
                    }
                    (Method::POST, TOKEN) => {
                        let account = *accounts.lock().unwrap();
                        let body = request.into_body().collect_bytes().await.unwrap();
                        let asked: Value = serde_json::from_slice(&body).unwrap();
                        let index = {
                            let mut given = given.lock().unwrap();
                            given.push(asked["spec"].clone());
                            given.len() - 1
                        };
                        match account {
                            Account::Present => send.send_response(token(&asked, index)),
                            Account::Status(status) => send.send_response(failure(status)),
                            Account::Silent => unanswered.push(send),
                        }
                    }
                    asked => panic!("{asked:?}"),
                }
            }
        });
        Self {
            stored,
            account,
            reads,
            tokens,
            client: kube::Client::new(service, "alter"),
        }
    }

    pub(super) fn account(&self, account: Account) {
        *self.account.lock().unwrap() = account;
    }

    /// The specs of all tokens that were asked for.
    pub(super) fn tokens(&self) -> Vec<Value> {
        self.tokens.lock().unwrap().clone()
    }

    pub(super) fn store(&self, stored: Stored) {
        *self.stored.lock().unwrap() = stored;
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(super) fn issuer(&self) -> Issuer {
        self.issuer_with(1000.0, 1000)
    }

    pub(super) fn issuer_with(&self, rate: f64, burst: u32) -> Issuer {
        let options = Options {
            namespace: "alter".to_owned(),
            cluster: String::new(),
            rate,
            burst,
        };
        Issuer::new(self.client.clone(), options)
    }
}

fn secret(stored: Stored) -> Response<Body> {
    let of = |version: &str, data: Value| {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "alter-key", "namespace": "alter", "resourceVersion": version},
            "data": data,
        });
        response(200, &secret)
    };
    match stored {
        // "hunter2"
        Stored::Key(version, id) => of(
            version,
            json!({"accessKeyId": id, "secretAccessKey": "aHVudGVyMg=="}),
        ),
        Stored::Certificate(version, certificates, key) => {
            let text = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
            of(
                version,
                json!({"tls.crt": text(certificates), "tls.key": text(key)}),
            )
        }
        Stored::Status(status) => failure(status),
    }
}

fn token(asked: &Value, index: usize) -> Response<Body> {
    let mut answer = asked.clone();
    answer["status"] =
        json!({"token": format!("hunter-{index}"), "expirationTimestamp": "2099-01-01T00:00:00Z"});
    response(201, &answer)
}

fn failure(status: u16) -> Response<Body> {
    let reason = match status {
        404 => "NotFound",
        403 => "Forbidden",
        _ => "InternalError",
    };
    response(
        status,
        &json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure",
            "message": "as the API server says it", "reason": reason, "code": status,
        }),
    )
}

fn response(status: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(Body::from(serde_json::to_vec(body).unwrap()))
        .unwrap()
}

// Base64 of AKIAOLD and AKIANEW.
pub(super) const OLD: Stored = Stored::Key("1", "QUtJQU9MRA==");
pub(super) const NEW: Stored = Stored::Key("2", "QUtJQU5FVw==");
