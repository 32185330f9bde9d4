//! What brings a grant to its reconcile.

use super::{
    cache::{Filler, GrantRef},
    kept::Kept,
    reconcile::{ReconcileError, reconcile},
};
use crate::{
    context::{Context, Sessions},
    metrics::kind,
    requeue::{after_error, log},
    session_secret::{OF_SESSIONS, index::Pending},
    watch::{Cache, heard, in_cache, paged, strip},
};
use alter_crds::names::{label, secret};
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action},
        reflector::{ObjectRef, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the controller is fed with.
pub(crate) struct Feeds<T, D, L> {
    /// Fills the cache of grants.
    pub grants: Writer<Kept>,
    /// Fills the cache of namespaces.
    pub namespaces: Writer<PartialObjectMeta<Namespace>>,
    /// Grants whose identity changed.
    pub touched: T,
    /// Grants whose time has come.
    pub due: D,
    /// An item whenever this process begins to lead.
    pub led: L,
    /// Wakes the sweep.
    pub sweep: Arc<Notify>,
}

/// Runs until `shutdown`, and until what it had begun is done.
pub(crate) async fn run<S: Sessions>(
    context: Arc<Context<S>>,
    feeds: Feeds<
        impl Stream<Item = GrantRef> + Send + 'static,
        impl Stream<Item = GrantRef> + Send + 'static,
        impl Stream<Item = ()> + Send + 'static,
    >,
    concurrency: u16,
    shutdown: CancellationToken,
) {
    let changed = changed(&context, feeds.grants, feeds.sweep.clone());
    // What brings a grant comes by its name alone.
    Controller::for_stream(stream::pending(), context.grants.clone())
        .with_config(controller::Config::default().concurrency(concurrency))
        .watches_stream(
            namespaces(&context, feeds.namespaces),
            of_namespace(&context),
        )
        .reconcile_on(changed)
        .reconcile_on(changed_secrets(&context, feeds.sweep))
        .reconcile_on(feeds.touched)
        .reconcile_on(feeds.due)
        .reconcile_all_on(feeds.led)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            look::<S>,
            |object, error, context| after_error(kind::GRANT, &*object, error, &context),
            context.clone(),
        )
        .for_each(|result| {
            result.map_or_else(|error| log(kind::GRANT, error), drop);
            future::ready(())
        })
        .await;
}

/// One look. The time of the next is kept by [`crate::due`].
async fn look<S: Sessions>(
    object: Arc<Kept>,
    context: Arc<Context<S>>,
) -> Result<Action, ReconcileError> {
    let wait = reconcile(&object, &context).await?;
    if let Some(namespace) = &object.meta().namespace {
        let name = format!("{namespace}/{}", object.name_any());
        context.due.set(&name, wait);
    }
    Ok(Action::await_change())
}

/// The grant that `namespace/name` names.
pub(crate) fn named(text: &str) -> Option<GrantRef> {
    let (namespace, name) = text.split_once('/')?;
    Some(ObjectRef::new(name).within(namespace))
}

/// Grants that are new or were edited.
fn changed<S: Sessions>(
    context: &Arc<Context<S>>,
    writer: Writer<Kept>,
    sweep: Arc<Notify>,
) -> impl Stream<Item = GrantRef> + Send + use<S> {
    let api: Api<Kept> = Api::all(context.client.clone());
    let context = context.clone();
    let mut cache = Filler::new(writer);
    watcher(api, paged())
        .default_backoff()
        .map(move |event| {
            let Some(event) = heard("grants", event) else {
                return Vec::new();
            };
            if let Event::Delete(grant) = &event
                && let Some(uid) = &grant.meta().uid
            {
                context.failures.forget(uid);
                context.allowances.forget(uid);
                context.stumbles.forget(uid);
            }
            let is_whole = matches!(event, Event::InitDone);
            // What a list lacks was deleted while the watch was broken.
            let may_lack = is_whole || matches!(event, Event::Delete(_));
            let changed = cache.follow(event);
            if is_whole {
                context.synced.mark(Cache::Grants);
            }
            if may_lack {
                sweep.notify_one();
            }
            changed
        })
        .flat_map(stream::iter)
}

/// Grants whose Secret someone else changed.
fn changed_secrets<S: Sessions>(
    context: &Arc<Context<S>>,
    sweep: Arc<Notify>,
) -> impl Stream<Item = GrantRef> + Send + use<S> {
    let api: Api<PartialObjectMeta<Secret>> = Api::all(context.client.clone());
    let ours = format!(
        "{}={},{}",
        label::MANAGED_BY,
        label::OPERATOR,
        secret::GRANT_LABEL
    );
    let context = context.clone();
    let mut pending = Pending::new();
    watcher(api, paged().labels(&ours).fields(OF_SESSIONS))
        .default_backoff()
        .map(move |event| {
            let Some(event) = heard("sessions' Secrets", event) else {
                return Vec::new();
            };
            let changed = context.index.follow(&mut pending, &event);
            if matches!(event, Event::InitDone) {
                context.synced.mark(Cache::Secrets);
            }
            let mut owners = Vec::with_capacity(changed.len());
            for ((namespace, _), facts) in changed {
                let owner = ObjectRef::new(&facts.grant).within(&namespace);
                let cached = context.grants.get(&owner);
                if cached.is_none_or(|own| own.meta().uid.as_ref() != Some(&facts.grant_uid)) {
                    sweep.notify_one();
                }
                owners.push(owner);
            }
            owners
        })
        .flat_map(stream::iter)
}

fn namespaces<S>(
    context: &Arc<Context<S>>,
    writer: Writer<PartialObjectMeta<Namespace>>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<Namespace>>> + Send + use<S> {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(context.client.clone());
    let synced = context.synced.clone();
    let cache = writer.as_reader();
    watcher(api, paged())
        .default_backoff()
        .modify(|object| {
            let labels = object.metadata.labels.take();
            strip(&mut object.metadata);
            object.metadata.labels = labels;
        })
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, Event::InitDone) {
                synced.mark(Cache::Namespaces);
            }
        })
        .map_ok(move |event| stream::iter(in_cache(&cache, event)).map(Ok))
        .try_flatten()
}

fn of_namespace<S: Sessions>(
    context: &Arc<Context<S>>,
) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<GrantRef> + Send + Sync + use<S> {
    let grants = context.grants.clone();
    move |namespace| {
        let name = namespace.name_any();
        let inside = grants.state_filter(|grant| grant.meta().namespace.as_ref() == Some(&name));
        inside
            .iter()
            .map(|grant| ObjectRef::from_obj(&**grant))
            .collect()
    }
}
