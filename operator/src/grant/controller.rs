//! What brings a grant to its reconcile.

use super::{
    cache::{Filler, name, name_of, named},
    kept::Kept,
    reconcile::{ReconcileError, reconcile},
};
use crate::{
    context::{Context, Sessions},
    metrics::kind,
    pods,
    requeue::{after_error, log},
    session_secret::{OF_SESSIONS, index::Pending},
    watch::{Cache, heard, in_cache, paged, strip},
};
use alter_crds::names::{label, secret};
use alter_runtime::watch;
use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        Controller, WatchStreamExt,
        controller::{self, Action, Error},
        reflector::{ObjectRef, store::Writer},
        watcher::{Event, watcher},
    },
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the controller is fed with.
pub(crate) struct Feeds<D, L> {
    /// Fills the cache of grants.
    pub grants: Writer<Kept>,
    /// Fills the cache of namespaces.
    pub namespaces: Writer<PartialObjectMeta<Namespace>>,
    /// Names of the grants that are to be looked at.
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
        impl Stream<Item = Arc<str>> + Send + 'static,
        impl Stream<Item = ()> + Send + 'static,
    >,
    concurrency: u16,
    shutdown: CancellationToken,
) {
    let followed = future::join5(
        follow_grants(&context, feeds.grants, feeds.sweep.clone()),
        follow_secrets(&context, feeds.sweep),
        follow_namespaces(&context, feeds.namespaces),
        follow_leading(&context, feeds.led),
        pods::follow(&context),
    );
    let due = feeds.due.filter_map(|name| future::ready(named(&name)));
    // What brings a grant comes by its name alone.
    let looks = Controller::for_stream(stream::pending(), context.grants.clone())
        .with_config(controller::Config::default().concurrency(concurrency))
        .reconcile_on(due)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            look::<S>,
            |object, error, context| after_error(kind::GRANT, &*object, error, &context),
            context.clone(),
        )
        .for_each(|result| {
            if let Err(Error::ObjectNotFound(gone)) = &result {
                context
                    .due
                    .begun(name(gone.namespace.as_deref(), &gone.name));
            }
            result.map_or_else(|error| log(kind::GRANT, error), drop);
            future::ready(())
        });
    tokio::select! {
        () = looks => {}
        // They end with the program.
        _ = followed => {}
    }
}

/// One look. The time of the next is kept by [`crate::due`].
async fn look<S: Sessions>(
    object: Arc<Kept>,
    context: Arc<Context<S>>,
) -> Result<Action, ReconcileError> {
    let name = name_of(&object);
    context.due.begun(name.clone());
    let wait = reconcile(&object, &context).await?;
    context.due.set(name, wait);
    Ok(Action::await_change())
}

/// Brings grants that are new or were edited.
async fn follow_grants<S: Sessions>(
    context: &Context<S>,
    writer: Writer<Kept>,
    sweep: Arc<Notify>,
) {
    let mut cache = Filler::new(writer);
    watch::follow::<Kept>(&context.client, &context.scope, &paged())
        .for_each(|event| {
            let Some(event) = heard("grants", event) else {
                return future::ready(());
            };
            if let Event::Delete(grant) = &event
                && let Some(uid) = &grant.meta().uid
            {
                context.failures.forget(uid);
                context.allowances.forget(uid);
                context.stumbles.forget(uid);
                context.told.forget(uid);
                context.revocations.forget(uid);
            }
            if let Event::Apply(grant) = &event
                && let Some(uid) = &grant.meta().uid
            {
                context.told.heard(uid, grant.told());
            }
            if let Event::InitApply(grant) | Event::Apply(grant) = &event
                && grant.pauses
            {
                context.users.want();
            }
            let is_whole = matches!(event, Event::InitDone);
            // What a list lacks was deleted while the watch was broken.
            let may_lack = is_whole || matches!(event, Event::Delete(_));
            let changed = cache.follow(event);
            if is_whole {
                context.told.clear();
                context.synced.mark(Cache::Grants);
            }
            if may_lack {
                sweep.notify_one();
            }
            if is_whole || !changed.is_empty() {
                context.grants_changed.notify_one();
            }
            for name in changed {
                context.due.now(name);
            }
            future::ready(())
        })
        .await;
}

/// Brings grants whose Secret someone else changed.
async fn follow_secrets<S: Sessions>(context: &Context<S>, sweep: Arc<Notify>) {
    let ours = format!(
        "{}={},{}",
        label::MANAGED_BY,
        label::OPERATOR,
        secret::GRANT_LABEL
    );
    let mut pending = Pending::new();
    let ours = paged().labels(&ours).fields(OF_SESSIONS);
    watch::follow::<PartialObjectMeta<Secret>>(&context.client, &context.scope, &ours)
        .for_each(|event| {
            let Some(event) = heard("sessions' Secrets", event) else {
                return future::ready(());
            };
            let changed = context.index.follow(&mut pending, &event);
            if matches!(event, Event::InitDone) {
                context.synced.mark(Cache::Secrets);
            }
            for ((namespace, _), facts) in changed {
                let owner = ObjectRef::new(&facts.grant).within(&namespace);
                let cached = context.grants.get(&owner);
                if cached.is_none_or(|own| own.meta().uid.as_ref() != Some(&facts.grant_uid)) {
                    sweep.notify_one();
                }
                context.due.now(name(Some(&namespace), &facts.grant));
            }
            future::ready(())
        })
        .await;
}

/// Brings grants whose namespace changed: rules may ask for its labels. Ends at once where those cannot be seen.
async fn follow_namespaces<S: Sessions>(
    context: &Context<S>,
    writer: Writer<PartialObjectMeta<Namespace>>,
) {
    if !context.scope.knows_labels() {
        context.synced.mark(Cache::Namespaces);
        return;
    }
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(context.client.clone());
    let cache = writer.as_reader();
    watcher(api, paged())
        .default_backoff()
        .modify(|object| {
            let labels = object.metadata.labels.take();
            strip(&mut object.metadata);
            object.metadata.labels = labels;
        })
        .reflect(writer)
        .for_each(|event| {
            let Some(event) = heard("namespaces", event) else {
                return future::ready(());
            };
            if matches!(event, Event::InitDone) {
                context.synced.mark(Cache::Namespaces);
            }
            let changed: BTreeSet<_> = in_cache(&cache, event)
                .iter()
                .map(ResourceExt::name_any)
                .collect();
            bring(context, |grant| {
                let namespace = grant.meta().namespace.as_ref();
                namespace.is_some_and(|own| changed.contains(own))
            });
            future::ready(())
        })
        .await;
}

/// Brings all grants when this process begins to lead.
async fn follow_leading<S: Sessions>(context: &Context<S>, led: impl Stream<Item = ()>) {
    led.for_each(|()| {
        bring(context, |_| true);
        future::ready(())
    })
    .await;
}

/// Brings those that `wanted` picks.
pub(crate) fn bring<S>(context: &Context<S>, wanted: impl Fn(&Kept) -> bool) {
    for grant in context.grants.state_filter(wanted) {
        context.due.now(name_of(&grant));
    }
}
