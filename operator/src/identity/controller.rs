//! What brings an identity to its reconcile.

use super::{keys::Versions, reconcile::reconcile};
use crate::{
    context::{Context, Sessions},
    grant::controller::bring,
    metrics::kind,
    requeue::{after_error, log},
    watch::{Cache, Guarded, Identities, edited, heard, in_cache, paged, strip},
};
use alter_crds::AwsIdentity;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Controller, PredicateConfig, WatchStreamExt, controller,
        reflector::{ObjectRef, store::Writer},
        watcher,
    },
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Identities are few, and each look may wait for AWS.
const CONCURRENCY: u16 = 8;

/// An identity, by name.
pub(crate) type IdentityRef = ObjectRef<Guarded<AwsIdentity>>;

/// What the controller is fed with.
pub(crate) struct Feeds<R, L> {
    /// Fills the cache of identities.
    pub identities: Writer<Guarded<AwsIdentity>>,
    /// Identities that AWS is to be asked about.
    pub rechecks: R,
    /// An item whenever this process begins to lead.
    pub led: L,
    /// The operator's own namespace, where the identities' Secrets are.
    pub namespace: String,
}

/// Runs until `shutdown`, and until what it had begun is done.
pub(crate) async fn run<S: Sessions>(
    context: Arc<Context<S>>,
    feeds: Feeds<
        impl Stream<Item = IdentityRef> + Send + 'static,
        impl Stream<Item = ()> + Send + 'static,
    >,
    shutdown: CancellationToken,
) {
    let identities = identities(&context, feeds.identities);
    let sources = changed_sources(&context, &feeds.namespace);
    Controller::for_stream(identities, context.identities.clone())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(feeds.rechecks)
        .reconcile_on(sources)
        .reconcile_all_on(feeds.led)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            reconcile::<S>,
            |object, error, context| after_error(kind::IDENTITY, &*object, error, &context),
            context.clone(),
        )
        .for_each(|result| {
            result.map_or_else(|error| log(kind::IDENTITY, error), drop);
            future::ready(())
        })
        .await;
}

/// Every event of an identity, also its deletion, brings its grants to their reconcile.
fn identities<S: Sessions>(
    context: &Arc<Context<S>>,
    writer: Writer<Guarded<AwsIdentity>>,
) -> impl Stream<Item = watcher::Result<Guarded<AwsIdentity>>> + Send + use<S> {
    let api: Api<Guarded<AwsIdentity>> = Api::all(context.client.clone());
    let context = context.clone();
    let cache = writer.as_reader();
    watcher(api, paged())
        .default_backoff()
        .modify(|object| strip(object.meta_mut()))
        .reflect(writer)
        .inspect_ok(move |event| match event {
            watcher::Event::Apply(object) | watcher::Event::Delete(object) => {
                let name = object.name_any();
                bring(&context, |grant| grant.identity.as_deref() == Some(&*name));
                if let (watcher::Event::Delete(_), Some(uid)) = (event, &object.meta().uid) {
                    context.failures.forget(uid);
                    context.stumbles.forget(uid);
                }
            }
            // What the list lacks was deleted while the watch was broken.
            watcher::Event::InitDone => {
                context.synced.mark(Cache::Identities);
                bring(&context, |grant| grant.identity.is_some());
            }
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
        })
        .try_filter(|event| future::ready(!matches!(event, watcher::Event::Delete(_))))
        .map_ok(move |event| stream::iter(in_cache(&cache, event)).map(Ok))
        .try_flatten()
        .predicate_filter(edited, PredicateConfig::default())
}

/// Identities whose access key or certificate changed: what was read of the old one is forgotten, and AWS
/// asked anew.
fn changed_sources<S: Sessions>(
    context: &Arc<Context<S>>,
    namespace: &str,
) -> impl Stream<Item = IdentityRef> + Send + use<S> {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(context.client.clone(), namespace);
    let context = context.clone();
    let mut versions = Versions::default();
    watcher(api, paged())
        .default_backoff()
        .filter_map(move |event| {
            let event = heard("the identities' Secrets", event);
            let changed = event.map_or_else(Vec::new, |event| versions.follow(&event));
            let names: Vec<_> = changed
                .iter()
                .flat_map(|key| users(&context.identities, key))
                .collect();
            for name in &names {
                tracing::info!(identity = name, "the identity's Secret changed");
                context.sessions.forget(name);
                context.rechecks.ask(name);
            }
            future::ready((!names.is_empty()).then_some(names))
        })
        .flat_map(|names| stream::iter(names).map(|name| ObjectRef::new(&name)))
}

/// The identities that use the Secret.
fn users(identities: &Identities, secret: &str) -> Vec<String> {
    let all = identities.state();
    let using = all.iter().filter_map(|object| object.0.as_ref().ok());
    using
        .filter(|identity| identity.spec.credentials.secret_name() == Some(secret))
        .map(ResourceExt::name_any)
        .collect()
}
