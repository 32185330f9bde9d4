//! The health server: whether the process lives, whether it is ready, and its metrics, over plain HTTP.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a scrape in flight may take once the process ends.
const DRAIN: Duration = Duration::from_secs(2);
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which parts of a program are ready. All must be for the program to be.
#[derive(Clone, Debug)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<&'static str, bool>>>,
}

impl Readiness {
    /// None of the parts is ready yet. A program without parts is ready at once.
    #[must_use]
    pub fn new(parts: &[&'static str]) -> Self {
        let parts = parts.iter().map(|part| (*part, false)).collect();
        Self {
            parts: Arc::new(Mutex::new(parts)),
        }
    }

    /// Says whether a part is ready; a part not named before is added.
    pub fn set(&self, part: &'static str, ready: bool) {
        let old = self.lock().insert(part, ready);
        if old != Some(ready) {
            tracing::info!(part, ready, "readiness changed");
        }
    }

    /// The parts that are not ready, in order of their names.
    #[must_use]
    pub fn waiting(&self) -> Vec<&'static str> {
        let parts = self.lock();
        let waiting = parts.iter().filter(|(_, ready)| !**ready);
        waiting.map(|(part, _)| *part).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the health server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for health and metrics: {source}; set --health-address")]
    Bind {
        /// `--health-address`.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The listener failed.
    #[error("the server for health and metrics on {address} failed: {source}")]
    Accept {
        /// `--health-address`.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

#[derive(Clone)]
struct Health {
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// `/livez`, `/readyz` (503 with the names of the parts not ready) and `/metrics` (`OpenMetrics` text).
pub fn router(readiness: Readiness, registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Health {
            readiness,
            registry,
        })
}

/// Serves [`router`] until `shutdown` is cancelled.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Bind { address, source })?;
    let server = axum::serve(listener, router(readiness, registry))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = async { server.await } => {
            result.map_err(|source| ServeError::Accept { address, source })
        }
        // A client that never finishes its request does not keep the process.
        () = drained => Ok(()),
    }
}

async fn readyz(State(health): State<Health>) -> Response {
    let waiting = health.readiness.waiting();
    if waiting.is_empty() {
        return "ok\n".into_response();
    }
    let body = format!("not ready: {}\n", waiting.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &health.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt;
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_the_parts_that_are_waited_for() {
        let readiness = Readiness::new(&["grants", "certificate"]);
        let router = router(readiness.clone(), Arc::default());
        let (status, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, "not ready: certificate, grants\n");
        readiness.set("certificate", true);
        readiness.set("grants", true);
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
        readiness.set("grants", false);
        assert_eq!(ask(&router, "/readyz").await.1, "not ready: grants\n");
        assert_eq!(ask(&router, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_text() {
        let mut registry = Registry::with_prefix("alter");
        let counter = Counter::<u64>::default();
        registry.register("sessions", "Sessions issued", counter.clone());
        counter.inc();
        let router = router(Readiness::new(&[]), Arc::new(registry));
        let (status, body) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("alter_sessions_total 1\n"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }

    #[tokio::test(start_paused = true)]
    async fn serves_until_it_is_told_to_stop_even_with_a_client_that_never_reads() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let shutdown = CancellationToken::new();
        let mut registry = Registry::default();
        // More than the sockets' buffers take.
        registry.register("big", "x".repeat(32 << 20), Counter::<u64>::default());
        let server = tokio::spawn(serve(
            address,
            Readiness::new(&[]),
            Arc::new(registry),
            shutdown.clone(),
        ));
        let mut client = loop {
            if let Ok(client) = tokio::net::TcpStream::connect(address).await {
                break client;
            }
            assert!(!server.is_finished());
            tokio::task::yield_now().await;
        };
        client
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        shutdown.cancel();
        let limit = Duration::from_hours(1);
        let ended = tokio::time::timeout(limit, server).await.unwrap();
        ended.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error_that_names_the_flag() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = serve(
            taken.local_addr().unwrap(),
            Readiness::new(&[]),
            Arc::default(),
            CancellationToken::new(),
        )
        .await
        .unwrap_err();
        assert!(error.to_string().contains("--health-address"), "{error}");
    }
}
