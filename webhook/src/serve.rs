//! The program: watches, serves, and ends without dropping a review.

use crate::{
    args::Args,
    cache::Cache,
    metrics::Metrics,
    receive::{DEADLINE, Gates},
    router::{App, router},
};
use alter_crds::answer::InWords;
use alter_runtime::{
    health::{self, Readiness},
    port::{self, Bounds},
    shutdown,
    tls::{ReloadingCertificate, TlsError},
};
use prometheus_client::registry::Registry;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The part of readiness that says that the watched objects are known.
const CACHES: &str = "caches";
/// The part of readiness that says that the certificate is loaded.
const CERTIFICATE: &str = "certificate";

/// What the port allows.
pub const BOUNDS: Bounds = Bounds {
    // An API server opens one for each review that it waits for, and keeps 25 of them.
    places: 256,
    patience: DEADLINE,
    // Above the API server's own deadline.
    drain: Duration::from_secs(15),
};

/// Why the program ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No way to the API server.
    #[error(
        "cannot set up a client for the API server: {}; run in a pod with a service account, or set KUBECONFIG",
        InWords(.0)
    )]
    Client(#[source] Box<kube::Error>),
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// The port.
    #[error("cannot listen on {address} for reviews: {source}; set --address")]
    Listen {
        /// `--address`.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Health and metrics.
    #[error(transparent)]
    Health(#[from] health::ServeError),
}

/// Runs until the process is told to end.
pub async fn run(args: Args) -> Result<(), RunError> {
    let told = shutdown::on_signal();
    let ended = CancellationToken::new();
    let readiness = Readiness::new(&[CACHES, CERTIFICATE]);

    // 1. What reviews are served with.
    let client = kube::Client::try_default()
        .await
        .map_err(|source| RunError::Client(Box::new(source)))?;
    let mut registry = Registry::with_prefix("alter_webhook");
    let certificate = Arc::new(ReloadingCertificate::open(&args.certificate_dir).await?);
    certificate.register(&mut registry);
    certificate.clone().watch(ended.clone());
    readiness.set(CERTIFICATE, true);
    let metrics = Metrics::register(&mut registry);
    let app = Arc::new(App {
        cache: Cache::watch(client, args.server.watch_namespaces.clone(), &ended),
        settings: args.settings(),
        metrics: metrics.clone(),
        gates: Gates::default(),
    });

    // 2. Ready once everything that was there at the start is known.
    let warm = (app.clone(), readiness.clone());
    tokio::spawn(async move {
        warm.0.cache.warm().await;
        warm.1.set(CACHES, true);
    });

    // 3. Serve until told to end, then until the last review is answered.
    let listener = TcpListener::bind(args.address)
        .await
        .map_err(|source| RunError::Listen {
            address: args.address,
            source,
        })?;
    let tls = TlsAcceptor::from(certificate.server_config());
    let full = move || metrics.connections_full();
    let accepted = port::accepted(listener);
    let reviews = port::serve(accepted, tls, router(app), BOUNDS, full, told);
    let health = health::serve(
        args.server.health_address,
        readiness,
        Arc::new(registry),
        ended.clone(),
    );
    tracing::info!(address = %args.address, "serving reviews");
    let result = tokio::select! {
        () = reviews => Ok(()),
        result = health => result.map_err(RunError::Health),
    };
    ended.cancel();
    result
}
