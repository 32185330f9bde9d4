//! A scripted API server: answers by method and path, and remembers what was asked.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Such as `PATCH`.
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// The query.
    pub(crate) query: String,
    /// `Content-Type`, for patches.
    pub(crate) content: String,
    /// JSON, or null.
    pub(crate) body: Value,
}

/// What was asked so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    /// `METHOD path` of each, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.0.lock().unwrap();
        asked
            .iter()
            .map(|own| format!("{} {}", own.method, own.path))
            .collect()
    }

    /// The request of that place.
    pub(crate) fn at(&self, index: usize) -> Asked {
        self.0.lock().unwrap()[index].clone()
    }

    /// All that was asked, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }
}

/// A client of a server that answers so.
pub(crate) fn api(
    answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
) -> (Client, Log) {
    let log = Log::default();
    let (answer, kept) = (Arc::new(answer), log.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (answer, kept) = (answer.clone(), kept.clone());
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await?.to_bytes();
            let header = parts.headers.get(http::header::CONTENT_TYPE);
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                content: header.map_or(String::new(), |own| own.to_str().unwrap().to_owned()),
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            };
            let (code, body) = answer(&asked);
            kept.0.lock().unwrap().push(asked);
            let response = Response::builder()
                .status(StatusCode::from_u16(code).unwrap())
                .body(Full::new(Bytes::from(body.to_string())));
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response?)
        }
    });
    (Client::new(service, "default"), log)
}

/// The answer to a request that is refused.
pub(crate) fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": reason, "code": code,
    });
    (code, status)
}

/// The answer to a list.
pub(crate) fn list(items: &[Value]) -> (u16, Value) {
    let items = items.iter().map(|metadata| json!({"metadata": metadata}));
    let items: Vec<_> = items.collect();
    (
        200,
        json!({"metadata": {"resourceVersion": "9"}, "items": items}),
    )
}

/// The value that a JSON Patch puts, or tests, at `path`.
pub(crate) fn patched(asked: &Asked, path: &str) -> Value {
    let operations = asked.body.as_array().into_iter().flatten();
    let mut of_path = operations.filter(|operation| operation["path"] == path);
    of_path
        .next()
        .map_or(Value::Null, |operation| operation["value"].clone())
}

/// The answer to a write: the metadata that was sent, as the API server would have it.
pub(crate) fn stored(asked: &Asked) -> (u16, Value) {
    let mut metadata = match asked.body.as_array() {
        None => asked.body["metadata"].clone(),
        Some(_) => json!({
            "labels": patched(asked, "/metadata/labels"),
            "annotations": patched(asked, "/metadata/annotations"),
        }),
    };
    metadata["uid"] = json!("s-1");
    metadata["resourceVersion"] = json!("8");
    (200, json!({"metadata": metadata}))
}
