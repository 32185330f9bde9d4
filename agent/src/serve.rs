//! The agent: wiring.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alter_protocol::grant::Delivery;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::broker::Address;
use crate::connections::Shutdown;
use crate::endpoint::Endpoint;
use crate::files::Changes;
use crate::imds::Imds;
use crate::layout::{self, Layout, WriteError};
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::state::Pod;
use crate::store::Store;
use crate::{broker, http, socket, token};

/// How late a change of the grants is seen at most where inotify does not work.
const POLL: Duration = Duration::from_secs(5);

/// What the agent is told.
pub struct Settings {
    /// The pod's grants in the order of its annotation.
    pub grants: Vec<String>,
    /// The rest of what matters of the pod.
    pub pod: Pod,
    /// Where the agent writes.
    pub layout: Layout,
    /// Where the grants' Secrets are mounted.
    pub grants_dir: PathBuf,
    /// The broker, and those of the grants whose sessions come from it.
    pub broker: Option<(Address, Vec<String>)>,
    /// The helper in the image.
    pub helper: PathBuf,
    /// Where the container credentials endpoint, or instance metadata, listens; used by those deliveries alone.
    pub endpoint_address: SocketAddr,
    /// Where metrics are served, if at all.
    pub metrics_address: Option<SocketAddr>,
}

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The shared volume is not as it should be.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An address is taken or is none of the pod's.
    #[error("cannot listen on {address}: {source}; nothing else in the pod may use this port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// No randomness for the token.
    #[error(
        "cannot get random bytes for the endpoint's token: {0}; the node's kernel must provide them"
    )]
    Random(getrandom::Error),
    /// No event loop.
    #[error("cannot start the event loop: {0}; the container may have too few file descriptors")]
    Runtime(io::Error),
    /// Signals cannot be received.
    #[error("cannot listen for SIGTERM: {0}; the container runtime must allow it")]
    Signal(io::Error),
}

/// Serves the pod's sessions until SIGTERM or SIGINT.
pub fn run(settings: Settings) -> Result<(), ServeError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?
        .block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), ServeError> {
    let shutdown = on_signal().map_err(ServeError::Signal)?;
    let metrics = Arc::new(Metrics::default());
    let layout = settings.layout;
    let delivery = settings.pod.delivery;

    // 1. What the app finds in the shared volume.
    layout::install(&settings.helper, &layout.helper(), 0o755)?;
    let from_broker = settings.broker.as_ref().map_or(&[][..], |(_, own)| own);
    let store = Store::open(
        settings.pod,
        &settings.grants,
        from_broker,
        &settings.grants_dir,
        layout.clone(),
        Arc::clone(&metrics),
    );
    let changes = Changes::watch(&store.folders(), POLL);
    let board = store.board();

    // 2. Listeners; the socket last, since over it the startup probe asks whether the app may start.
    let loopback = match delivery {
        Delivery::Process => None,
        Delivery::Endpoint => {
            let (listener, address) = listen(settings.endpoint_address).await?;
            let token = token::random().map_err(ServeError::Random)?;
            // Any user of the pod's containers must read it; nobody else sees the volume.
            layout::write(&layout.token_file(), token.as_bytes(), 0o644)?;
            tracing::info!(%address, "credentials endpoint");
            let endpoint = Endpoint::new(
                Origin::new(address),
                token,
                board.clone(),
                Arc::clone(&metrics),
            );
            Some((listener, Loopback::Endpoint(endpoint)))
        }
        Delivery::Imds => {
            let (listener, address) = listen(settings.endpoint_address).await?;
            tracing::info!(%address, "instance metadata");
            let imds = Imds::new(Origin::new(address), board.clone(), Arc::clone(&metrics));
            Some((listener, Loopback::Imds(imds)))
        }
    };
    let scraped = match settings.metrics_address {
        None => None,
        Some(address) => {
            let (listener, address) = listen(address).await?;
            tracing::info!(%address, "metrics");
            Some(listener)
        }
    };
    let unix = socket::bind(&layout.socket())?;
    tracing::info!(%delivery, "listening");

    // 3. Everything at once.
    let serving = async {
        tokio::join!(
            socket::serve(unix, board, Arc::clone(&metrics), shutdown.clone()),
            serve_loopback(loopback, shutdown.clone()),
            serve_metrics(scraped, Arc::clone(&metrics), shutdown.clone()),
        );
    };
    let broker = settings.broker;
    let heard = broker.map(|(address, grants)| broker::follow(address, grants, metrics.clone()));
    tokio::select! {
        () = serving => {}
        () = store.follow(changes, heard) => {}
    }
    Ok(())
}

/// What is served on loopback.
enum Loopback {
    Endpoint(Endpoint),
    Imds(Imds),
}

async fn serve_loopback(loopback: Option<(TcpListener, Loopback)>, shutdown: Shutdown) {
    if let Some((listener, loopback)) = loopback {
        let loopback = Arc::new(loopback);
        let respond = move |request: &_| match &*loopback {
            Loopback::Endpoint(endpoint) => endpoint.respond(request, crate::clock::now()),
            Loopback::Imds(imds) => imds.respond(request, crate::clock::now()),
        };
        http::serve(listener, shutdown, respond).await;
    }
}

async fn serve_metrics(listener: Option<TcpListener>, metrics: Arc<Metrics>, shutdown: Shutdown) {
    if let Some(listener) = listener {
        let respond = move |request: &Request<_>| {
            respond_metrics(&metrics, request.method(), request.uri().path())
        };
        http::serve(listener, shutdown, respond).await;
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bound = TcpListener::bind(address)
        .await
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    bound.map_err(|source| ServeError::Listen { address, source })
}

fn on_signal() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (down, shutdown) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
        down.send_replace(true);
        // A dropped sender would end every wait for the value.
        down.closed().await;
    });
    Ok(shutdown)
}

fn respond_metrics(metrics: &Metrics, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if (method, path) == (&Method::GET, "/metrics") {
        *response.body_mut() = Full::new(metrics.render().into());
        let text = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(text));
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_at_their_path_alone() {
        let metrics = Metrics::default();
        let status = |method, path| respond_metrics(&metrics, &method, path).status();
        assert_eq!(status(Method::GET, "/metrics"), StatusCode::OK);
        assert_eq!(status(Method::GET, "/"), StatusCode::NOT_FOUND);
        assert_eq!(status(Method::POST, "/metrics"), StatusCode::NOT_FOUND);
    }
}
