//! The wiring: clients, caches, controllers, and who of them ends when.

use crate::{
    args::{Args, Certificates},
    backoff::Stumbles,
    broker_ca,
    certificate::{self, keeper::Settings},
    clock,
    context::{Context, Rechecks},
    due,
    events::Publisher,
    failures::Failures,
    grant::{self, allowance::Allowances, told::Told, turns::Turns},
    identity,
    lease::{self, Fence},
    metrics::{Caches, Metrics},
    pods::{Orphans, Search, Settings as SearchSettings, Users},
    revocation::{self, Revocations},
    session_secret::{Index, Writer},
    sweep::Sweep,
    watch::Synced,
};
use alter_crds::answer::InWords;
use alter_issuer::{Issuer, Options};
use alter_runtime::health::{self, Readiness, ServeError};
use futures::{Stream, stream};
use jiff::SignedDuration;
use kube::{Client, Config, runtime::reflector};
use prometheus_client::registry::Registry;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// A part of readiness: every cache was filled once. Leading is none, or a rollout would wait for it.
const CACHES: &str = "caches";
/// The Lease's client gives up on a connection or an answer after this.
const LEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the operator does not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no configuration for the API server.
    #[error(
        "cannot find the API server: {0}; run in a pod with a service account, or set KUBECONFIG"
    )]
    Config(#[source] kube::config::InferConfigError),
    /// A client could not be made.
    #[error(
        "cannot make a client for the API server: {}; check its configuration",
        InWords(.0)
    )]
    Client(#[source] kube::Error),
    /// Health and metrics could not be served.
    #[error(transparent)]
    Health(#[from] ServeError),
}

/// Runs until `shutdown`; then finishes what was begun, and gives the Lease back.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), AppError> {
    let config = Config::infer().await.map_err(AppError::Config)?;
    let client = Client::try_from(config.clone()).map_err(AppError::Client)?;
    let lease = lease::Keeper::new(
        lease_client(config.clone())?,
        &args.namespace,
        args.lease_name.clone(),
        args.pod_name.clone(),
    );
    let fence = lease.fence();
    let metrics = Metrics::default();
    let readiness = Readiness::new(&[CACHES]);
    let mut registry = Registry::with_prefix("alter");
    metrics.register(&mut registry);
    let clients = Clients {
        evictor: evictor(&args, config)?,
        all: client.clone(),
    };
    let work = work(
        &args,
        &clients,
        &fence,
        &metrics,
        &readiness,
        &mut registry,
        &shutdown,
    );
    let work = async {
        tokio::join!(
            work,
            certificates(&args, client.clone(), fence.clone(), shutdown.clone())
        );
    };

    // The Lease outlives the work, which needs it to finish what it has begun.
    let released = CancellationToken::new();
    let lease = tokio::spawn(lease.run(released.clone()));
    let leads = tokio::spawn(show_leading(fence.clone(), metrics, released.clone()));
    let address = args.server.health_address;
    let health = health::serve(address, readiness, Arc::new(registry), shutdown.clone());
    let served = tokio::select! {
        // First only where it cannot serve at all: then nothing else should run either.
        Err(error) = health => Err(error),
        () = work => Ok(()),
    };
    released.cancel();
    // They fail only where they panicked.
    let _ = tokio::join!(lease, leads);
    Ok(served?)
}

/// Who calls the API server, but for the Lease.
struct Clients {
    all: Client,
    evictor: Option<Client>,
}

/// Both controllers, the sweep and the search for pods without their agent, over the same caches.
fn work(
    args: &Args,
    clients: &Clients,
    fence: &Fence,
    metrics: &Metrics,
    readiness: &Readiness,
    registry: &mut Registry,
    shutdown: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let client = &clients.all;
    let (grants, grants_writer) = reflector::store();
    let (identities, identities_writer) = reflector::store();
    let (namespaces, namespaces_writer) = reflector::store();
    let (recheck, rechecked) = mpsc::unbounded_channel();
    let (revoke, to_revoke) = mpsc::unbounded_channel();
    let (due, due_grants) = due::due();
    let issuer = issuer(args, client);
    issuer.metrics().register(registry);
    registry.register_collector(Box::new(Caches {
        grants: grants.clone(),
        identities: identities.clone(),
        now: clock::now,
    }));
    let min_interval = SignedDuration::try_from(args.min_refresh_interval);
    let min_interval = min_interval.unwrap_or(SignedDuration::MAX);
    let context = Arc::new(Context {
        client: client.clone(),
        fence: fence.clone(),
        writer: Writer::new(client.clone(), fence.clone()),
        synced: Synced::new(),
        index: Arc::new(Index::default()),
        sessions: issuer,
        grants,
        identities,
        namespaces,
        scope: args.server.watch_namespaces.clone(),
        failures: Failures::default(),
        allowances: Allowances::new(min_interval),
        turns: Turns::new(args.concurrency),
        due,
        told: Told::default(),
        stumbles: Stumbles::default(),
        revocations: Revocations::new(revoke, min_interval),
        rechecks: Rechecks::new(recheck),
        publisher: Publisher::new(
            client.clone(),
            fence.clone(),
            args.pod_name.clone(),
            metrics.clone(),
        ),
        metrics: metrics.clone(),
        cluster: args.cluster_name.clone(),
        min_interval,
        has_broker: args.has_broker(),
        users: Users::new(&args.server.watch_namespaces),
        orphans: Orphans::default(),
        grants_changed: Arc::default(),
    });
    let broker_ca = broker_ca(args, &context, shutdown.clone());
    let wake = Arc::new(Notify::new());
    let sweep = Sweep::new(&context, wake.clone()).run(shutdown.clone());
    let settings = SearchSettings {
        every: args.orphan_interval,
        evictor: clients.evictor.clone(),
    };
    let search = Search::new(context.clone(), settings).run(shutdown.clone());
    let identity_feeds = identity::controller::Feeds {
        identities: identities_writer,
        rechecks: received(rechecked),
        led: led(fence),
        namespace: args.namespace.clone(),
    };
    let grant_feeds = grant::controller::Feeds {
        grants: grants_writer,
        namespaces: namespaces_writer,
        due: due_grants,
        led: led(fence),
        sweep: wake,
    };
    tokio::spawn(show_ready(context.synced.clone(), readiness.clone()));
    let identities = identity::controller::run(context.clone(), identity_feeds, shutdown.clone());
    let revocations =
        revocation::queue::run(context.clone(), received(to_revoke), shutdown.clone());
    let grants = grant::controller::run(context, grant_feeds, args.concurrency, shutdown.clone());
    async {
        tokio::join!(identities, grants, revocations, sweep, search, broker_ca);
    }
}

/// Ends at once where there is no broker.
fn broker_ca(
    args: &Args,
    context: &Context<Issuer>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let keeper = args.has_broker().then(|| broker_ca::Keeper {
        client: context.client.clone(),
        fence: context.fence.clone(),
        scope: context.scope.clone(),
        grants: context.grants.clone(),
        changed: context.grants_changed.clone(),
        namespace: args.namespace.clone(),
        secret: args.certificate_secret.clone(),
    });
    let synced = context.synced.clone();
    async move {
        if let Some(keeper) = keeper {
            keeper.run(synced.wait(), shutdown).await;
        }
    }
}

fn issuer(args: &Args, client: &Client) -> Issuer {
    let options = Options {
        namespace: args.namespace.clone(),
        cluster: args.cluster_name.clone(),
        rate: args.sts_rate,
        burst: args.sts_burst,
    };
    Issuer::new(client.clone(), options)
}

/// Of evictions, where they are asked for: one that a disruption budget forbids is not repeated at once.
fn evictor(args: &Args, mut config: Config) -> Result<Option<Client>, AppError> {
    config.default_retry = false;
    let client = || Client::try_from(config).map_err(AppError::Client);
    args.evict_orphans.then(client).transpose()
}

/// A client whose calls end early and are not repeated: a renewal that comes late is worse than none.
fn lease_client(mut config: Config) -> Result<Client, AppError> {
    config.connect_timeout = Some(LEASE_TIMEOUT);
    config.read_timeout = Some(LEASE_TIMEOUT);
    config.write_timeout = Some(LEASE_TIMEOUT);
    config.default_retry = false;
    Client::try_from(config).map_err(AppError::Client)
}

async fn certificates(args: &Args, client: Client, fence: Fence, shutdown: CancellationToken) {
    if args.certificates == Certificates::External {
        return;
    }
    let settings = Settings {
        namespace: args.namespace.clone(),
        secret: args.certificate_secret.clone(),
        services: [&args.webhook_service, &args.broker_service]
            .into_iter()
            .filter(|name| !name.is_empty())
            .cloned()
            .collect(),
        configuration: args.webhook_configuration.clone(),
    };
    certificate::Keeper::new(client, fence, settings)
        .run(shutdown)
        .await;
}

async fn show_ready(synced: Synced, readiness: Readiness) {
    synced.wait().await;
    readiness.set(CACHES, true);
}

async fn show_leading(fence: Fence, metrics: Metrics, ended: CancellationToken) {
    let mut leading = fence.leading();
    loop {
        metrics.leads(*leading.borrow_and_update());
        tokio::select! {
            () = ended.cancelled() => return,
            // Fails only when the sender, which the fence holds, is dropped.
            _ = leading.changed() => {}
        }
    }
}

/// An item whenever this process begins to lead.
fn led(fence: &Fence) -> impl Stream<Item = ()> + Send + use<> {
    stream::unfold(fence.leading(), |mut leading| async move {
        loop {
            leading.changed().await.ok()?;
            if *leading.borrow_and_update() {
                return Some(((), leading));
            }
        }
    })
}

fn received<T: Send>(receiver: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|item| (item, receiver))
    })
}
