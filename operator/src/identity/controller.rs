//! What brings an identity to its reconcile.

use super::{keys::Versions, reconcile::reconcile};
use crate::{
    backoff::doubled,
    context::{Context, Guarded, Identities, Sessions},
    grant::controller::GrantRef,
    status::StatusError,
    watch::{Cache, edited, paged, strip},
};
use alter_crds::AwsIdentity;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Controller, PredicateConfig, WatchStreamExt,
        controller::{self, Action},
        reflector::{ObjectRef, store::Writer},
        watcher,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);
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
    /// Takes the grants of an identity that changed.
    pub touched: mpsc::UnboundedSender<GrantRef>,
    /// The operator's own namespace, where the access keys are.
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
    let identities = identities(&context, feeds.identities, feeds.touched);
    let keys = changed_keys(&context, &feeds.namespace);
    Controller::for_stream(identities, context.identities.clone())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(feeds.rechecks)
        .reconcile_on(keys)
        .reconcile_all_on(feeds.led)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            reconcile::<S>,
            |object, error, context| retry(&object, error, &context),
            context.clone(),
        )
        .for_each(|result| {
            log(result.map(drop));
            future::ready(())
        })
        .await;
}

/// Every event of an identity, also its deletion, brings its grants to their reconcile.
fn identities<S: Sessions>(
    context: &Arc<Context<S>>,
    writer: Writer<Guarded<AwsIdentity>>,
    touched: mpsc::UnboundedSender<GrantRef>,
) -> impl Stream<Item = watcher::Result<Guarded<AwsIdentity>>> + Send + use<S> {
    let api: Api<Guarded<AwsIdentity>> = Api::all(context.client.clone());
    let (grants, synced) = (context.grants.clone(), context.synced.clone());
    let touch = move |wanted: &dyn Fn(&str) -> bool| {
        let theirs = grants.state_filter(|grant| grant.identity.as_deref().is_some_and(wanted));
        for grant in theirs {
            // Fails only when the grants' controller has ended, as the program does.
            let _ = touched.send(ObjectRef::from_obj(&*grant));
        }
    };
    watcher(api, paged())
        .default_backoff()
        .modify(|object| strip(object.meta_mut()))
        .reflect(writer)
        .inspect_ok(move |event| match event {
            watcher::Event::Apply(object) | watcher::Event::Delete(object) => {
                let name = object.name_any();
                touch(&|identity| identity == name);
            }
            // What the list lacks was deleted while the watch was broken.
            watcher::Event::InitDone => {
                synced.mark(Cache::Identities);
                touch(&|_| true);
            }
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
        })
        .applied_objects()
        .predicate_filter(edited, PredicateConfig::default())
}

/// Identities whose access key changed: what was read of the old one is forgotten, and AWS asked anew.
fn changed_keys<S: Sessions>(
    context: &Arc<Context<S>>,
    namespace: &str,
) -> impl Stream<Item = IdentityRef> + Send + use<S> {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(context.client.clone(), namespace);
    let context = context.clone();
    let mut versions = Versions::default();
    watcher(api, paged())
        .default_backoff()
        .filter_map(move |event| {
            let changed = match event {
                Ok(event) => versions.follow(&event),
                Err(error) => {
                    tracing::warn!(%error, "the watch of access keys broke: it begins anew");
                    Vec::new()
                }
            };
            let names: Vec<_> = changed
                .iter()
                .flat_map(|key| users(&context.identities, key))
                .collect();
            for name in &names {
                tracing::info!(identity = name, "the Secret with the access key changed");
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
        .filter(|identity| {
            let key = identity.spec.credentials.access_key.as_ref();
            key.is_some_and(|key| key.secret_ref.name == secret)
        })
        .map(ResourceExt::name_any)
        .collect()
}

/// The controller's own backoff, for what the API server failed.
fn retry<S>(object: &Guarded<AwsIdentity>, error: &StatusError, context: &Context<S>) -> Action {
    let uid = object.meta().uid.clone().unwrap_or_default();
    let wait = doubled(FIRST_RETRY, LAST_RETRY, context.stumbles.note(&uid));
    tracing::warn!(
        %error,
        identity = object.meta().name,
        retry_seconds = wait.as_secs(),
        "the identity will be looked at again"
    );
    context.metrics.reconciled("AwsIdentity", "error");
    Action::requeue(wait)
}

/// What reconciles failed of is logged above; this is what failed before.
fn log<T>(result: Result<(), controller::Error<StatusError, T>>)
where
    T: std::error::Error + 'static,
{
    match result {
        Ok(()) | Err(controller::Error::ReconcilerFailed(..)) => {}
        Err(controller::Error::ObjectNotFound(object)) => {
            tracing::debug!(%object, "the identity is gone");
        }
        Err(error) => {
            tracing::warn!(%error, "a watch of the identities' controller broke: it begins anew");
        }
    }
}
