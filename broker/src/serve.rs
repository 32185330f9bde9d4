//! The program: watches, serves, and ends without leaving an agent without an answer.

use crate::{
    answer::Desk,
    args::Args,
    authenticate::Authenticator,
    cluster::Cluster,
    metrics::Metrics,
    principal,
    router::{App, router},
    sessions::Sessions,
};
use alter_crds::answer::InWords;
use alter_issuer::Issuer;
use alter_runtime::{
    health::{self, Readiness},
    port::{self, Bounds},
    shutdown,
    tls::{ReloadingCertificate, TlsError},
};
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The part of readiness that says that the watched objects are known.
const CACHES: &str = "caches";
/// The part of readiness that says that the certificate is loaded.
const CERTIFICATE: &str = "certificate";
/// How long a connection that is told to end may take: a question that is held is answered at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long questions in flight may take after the signal to end.
const DRAIN: Duration = Duration::from_secs(10);

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
    #[error("cannot listen on {address} for agents: {source}; set --address")]
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

    // 1. What questions are answered with.
    let client = kube::Client::try_default()
        .await
        .map_err(|source| RunError::Client(Box::new(source)))?;
    let mut registry = Registry::with_prefix("alter_broker");
    let certificate = Arc::new(ReloadingCertificate::open(&args.certificate_dir).await?);
    certificate.register(&mut registry);
    certificate.clone().watch(ended.clone());
    readiness.set(CERTIFICATE, true);
    let metrics = Metrics::register(&mut registry);
    let issuer = Issuer::new(client.clone(), args.issuer());
    issuer.metrics().register(&mut registry);
    let scope = args.server.watch_namespaces.clone();
    let (cluster, fillers) = Cluster::new(scope.clone());
    fillers.watch(&client, &scope, &ended);
    let principals = principal::Keeper::new(client.clone(), issuer.clone());
    let app = Arc::new(app(&args, cluster, issuer, client, metrics));
    let (known, until) = (app.clone(), ended.clone());
    tokio::spawn(async move { principals.run(&known.desk.cluster, until).await });

    // 2. Serve until told to end, then until the last question is answered.
    let health = health::serve(
        args.server.health_address,
        readiness.clone(),
        Arc::new(registry),
        ended.clone(),
    );
    let questions = questions(&args, &app, &certificate, &readiness, told);
    let result = tokio::select! {
        result = questions => result,
        result = health => result.map_err(RunError::Health),
    };
    ended.cancel();
    result
}

fn app(
    args: &Args,
    cluster: Cluster,
    issuer: Issuer,
    client: kube::Client,
    metrics: Metrics,
) -> App<Issuer> {
    let min_interval = SignedDuration::try_from(args.min_refresh_interval);
    let min_interval = min_interval.unwrap_or(SignedDuration::MAX);
    let desk = Desk {
        cluster,
        sessions: Sessions::new(issuer, min_interval, metrics.sessions.clone()),
        name: args.cluster_name.clone(),
    };
    App::new(desk, Authenticator::new(client), metrics)
}

async fn questions(
    args: &Args,
    app: &Arc<App<Issuer>>,
    certificate: &ReloadingCertificate,
    readiness: &Readiness,
    told: CancellationToken,
) -> Result<(), RunError> {
    // Not before everything is known that was there at the start: half a list refuses.
    tokio::select! {
        () = app.desk.cluster.warm() => {}
        () = told.cancelled() => return Ok(()),
    }
    let listener = TcpListener::bind(args.address)
        .await
        .map_err(|source| RunError::Listen {
            address: args.address,
            source,
        })?;
    readiness.set(CACHES, true);
    tracing::info!(address = %args.address, "answering agents");
    let bounds = Bounds {
        places: usize::try_from(args.connections).unwrap_or(usize::MAX),
        patience: PATIENCE,
        drain: DRAIN,
    };
    let tls = TlsAcceptor::from(certificate.server_config());
    let accepted = port::accepted(listener);
    let full = || app.metrics.connections_full();
    port::serve(accepted, tls, router(app.clone()), bounds, full, told).await;
    Ok(())
}
