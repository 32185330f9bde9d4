//! The program: watches, serves, and ends without dropping a review.

use crate::{
    args::Args,
    cache::Cache,
    metrics::Metrics,
    router::{App, router},
};
use alter_crds::answer::InWords;
use alter_runtime::{
    health::{self, Readiness},
    shutdown,
    tls::{ReloadingCertificate, TlsError},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use prometheus_client::registry::Registry;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long reviews in flight may take after the signal to end. Above the API server's own deadline.
const DRAIN: Duration = Duration::from_secs(15);
/// The part of readiness that says that the watched objects are known.
const CACHES: &str = "caches";
/// The part of readiness that says that the certificate is loaded.
const CERTIFICATE: &str = "certificate";

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
    #[error("cannot serve reviews on {address}: {source}; set --address")]
    Serve {
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
    let app = Arc::new(App {
        cache: Cache::watch(client, &ended),
        settings: args.settings(),
        metrics: Metrics::register(&mut registry),
    });

    // 2. Ready once everything that was there at the start is known.
    let warm = (app.clone(), readiness.clone());
    tokio::spawn(async move {
        warm.0.cache.warm().await;
        warm.1.set(CACHES, true);
    });

    // 3. Serve until told to end, then until the last review is answered.
    let handle = Handle::new();
    let reviews = axum_server::bind_rustls(
        args.address,
        RustlsConfig::from_config(certificate.server_config()),
    )
    .handle(handle.clone())
    .serve(router(app).into_make_service());
    let ending = async {
        told.cancelled().await;
        handle.graceful_shutdown(Some(DRAIN));
        std::future::pending().await
    };
    let health = health::serve(
        args.server.health_address,
        readiness,
        Arc::new(registry),
        ended.clone(),
    );
    tracing::info!(address = %args.address, "serving reviews");
    let result = tokio::select! {
        result = reviews => result.map_err(|source| RunError::Serve { address: args.address, source }),
        result = health => result.map_err(RunError::Health),
        never = ending => never,
    };
    ended.cancel();
    result
}
