//! An API server that knows one Secret.

use crate::{Issuer, Options};
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tower_test::mock;

/// The Secret as the API server has it: its version and access key id, or the status that it answers.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    Key(&'static str, &'static str),
    Status(u16),
}

pub(super) struct Cluster {
    stored: Arc<Mutex<Stored>>,
    reads: Arc<AtomicUsize>,
    client: kube::Client,
}

impl Cluster {
    pub(super) fn new(stored: Stored) -> Self {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let stored = Arc::new(Mutex::new(stored));
        let reads = Arc::<AtomicUsize>::default();
        let (state, count) = (stored.clone(), reads.clone());
        tokio::spawn(async move {
            while let Some((request, send)) = handle.next_request().await {
                assert_eq!(
                    request.uri().path(),
                    "/api/v1/namespaces/alter/secrets/alter-key"
                );
                count.fetch_add(1, Ordering::SeqCst);
                let stored = *state.lock().unwrap();
                send.send_response(response(stored));
            }
        });
        Self {
            stored,
            reads,
            client: kube::Client::new(service, "alter"),
        }
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

fn response(stored: Stored) -> Response<Body> {
    let (status, body) = match stored {
        Stored::Key(version, id) => (
            200,
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "alter-key", "namespace": "alter", "resourceVersion": version},
                // "hunter2"
                "data": {"accessKeyId": id, "secretAccessKey": "aHVudGVyMg=="},
            }),
        ),
        Stored::Status(status) => (
            status,
            json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "as the API server says it",
                "reason": match status { 404 => "NotFound", 403 => "Forbidden", _ => "InternalError" },
                "code": status,
            }),
        ),
    };
    Response::builder()
        .status(status)
        .body(Body::from(serde_json::to_vec(&body).unwrap()))
        .unwrap()
}

// Base64 of AKIAOLD and AKIANEW.
pub(super) const OLD: Stored = Stored::Key("1", "QUtJQU9MRA==");
pub(super) const NEW: Stored = Stored::Key("2", "QUtJQU5FVw==");
