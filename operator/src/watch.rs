//! What the watches fill: whether they have been filled, and with what.

use alter_crds::AwsIdentity;
use alter_crds::answer::of_watch;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Resource,
    core::{DeserializeGuard, ObjectMeta, PartialObjectMeta},
    runtime::{
        reflector::Store,
        watcher::{self, Event},
    },
};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};
use tokio::sync::watch;

/// One object that cannot be decoded does not stall the others.
pub(crate) type Guarded<K> = DeserializeGuard<K>;
/// All identities.
pub(crate) type Identities = Store<Guarded<AwsIdentity>>;
/// Labels of all namespaces.
pub(crate) type Namespaces = Store<PartialObjectMeta<Namespace>>;

/// A cache that decisions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cache {
    /// All grants.
    Grants,
    /// All identities.
    Identities,
    /// Namespaces' labels.
    Namespaces,
    /// Sessions' Secrets.
    Secrets,
}

impl Cache {
    const COUNT: usize = 4;
}

/// Which caches have been filled once: half a list decides nothing.
///
/// kube's own `Store::wait_until_ready` wakes only the last of several that wait.
#[derive(Clone, Debug)]
pub(crate) struct Synced(watch::Sender<BTreeSet<Cache>>);

impl Synced {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(BTreeSet::new()))
    }

    /// The cache's first list, or another, is in.
    pub(crate) fn mark(&self, cache: Cache) {
        self.0.send_if_modified(|filled| filled.insert(cache));
    }

    /// Returns once all are filled.
    pub(crate) async fn wait(&self) {
        let mut filled = self.0.subscribe();
        // Fails only when the sender, which is a field of self, is dropped.
        let _ = filled.wait_for(|filled| filled.len() == Cache::COUNT).await;
    }
}

/// An event of a watch; none where the watch broke, which is told.
pub(crate) fn heard<T>(of: &'static str, event: watcher::Result<T>) -> Option<T> {
    let told = |error: &watcher::Error| {
        tracing::warn!(of, error = of_watch(error), "a watch broke: it begins anew");
    };
    event.inspect_err(told).ok()
}

/// Lists in pages small enough not to outweigh the cache that they fill.
pub(crate) fn paged() -> watcher::Config {
    watcher::Config::default().page_size(alter_runtime::watch::PAGE)
}

/// Leaves out what no decision needs: at ten thousand grants it would be most of the memory.
pub(crate) fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.annotations = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
}

/// What an event is of, and of a list everything once the cache has it: whoever looked before that would find what
/// was listed last.
pub(crate) fn in_cache<K>(cache: &Store<K>, event: Event<K>) -> Vec<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    match event {
        Event::Init | Event::InitApply(_) => Vec::new(),
        Event::InitDone => cache.state().iter().map(|own| (**own).clone()).collect(),
        Event::Apply(object) | Event::Delete(object) => vec![object],
    }
}

/// What of an object a look at it answers to: its spec and its deletion, and not its status, by which two
/// writers would drive each other on for ever. kube's filter tells objects apart by their UID, and deletions
/// are followed before it, so that neither they nor re-creations are lost (kube#1768, kube#1830).
pub(crate) fn edited<K: Resource>(object: &K) -> Option<u64> {
    let metadata = object.meta();
    let mut hasher = DefaultHasher::new();
    metadata.generation?.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use futures::{FutureExt, StreamExt, future, stream};
    use kube::{
        ResourceExt,
        runtime::{
            PredicateConfig, WatchStreamExt,
            reflector::{self, ObjectRef},
        },
    };
    use serde_json::json;

    #[tokio::test]
    async fn an_edit_and_a_new_object_of_the_same_name_pass_and_a_status_does_not() {
        let first = fixtures::grant();
        let mut told = first.clone();
        told.status = Some(alter_crds::AwsGrantStatus::default());
        let mut edit = told.clone();
        edit.metadata.generation = Some(2);
        let mut leaving = edit.clone();
        leaving.metadata.deletion_timestamp =
            serde_json::from_str("\"2026-11-22T04:00:00Z\"").unwrap();
        let mut anew = first.clone();
        anew.metadata.uid = Some("g-2".to_owned());
        let events = [first, told, edit.clone(), edit, leaving, anew].map(Ok);
        let passed = stream::iter(events)
            .predicate_filter(edited, PredicateConfig::default())
            .count();
        assert_eq!(passed.await, 4);
    }

    #[test]
    fn of_a_list_everything_comes_once_the_cache_has_it() {
        let (cache, mut writer) = reflector::store();
        let labelled = |label: &str| -> PartialObjectMeta<Namespace> {
            let metadata = json!({"name": "team-a", "labels": {"env": label}});
            serde_json::from_value(json!({"metadata": metadata})).unwrap()
        };
        let mut told = |event: Event<PartialObjectMeta<Namespace>>| {
            writer.apply_watcher_event(&event);
            let objects = in_cache(&cache, event);
            let found = objects
                .iter()
                .map(|own| cache.get(&ObjectRef::from_obj(own)));
            let labels = found.map(|own| own.unwrap().labels()["env"].clone());
            labels.collect::<Vec<_>>()
        };
        assert_eq!(told(Event::Apply(labelled("old"))), ["old"]);
        assert_eq!(told(Event::Init), [""; 0]);
        assert_eq!(told(Event::InitApply(labelled("new"))), [""; 0]);
        assert_eq!(told(Event::InitDone), ["new"]);
    }

    #[tokio::test]
    async fn everyone_who_waits_is_woken_once_all_are_filled() {
        let synced = Synced::new();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let synced = synced.clone();
                tokio::spawn(async move { synced.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        for cache in [Cache::Grants, Cache::Identities, Cache::Namespaces] {
            synced.mark(cache);
        }
        assert!(synced.wait().now_or_never().is_none());
        synced.mark(Cache::Secrets);
        for woken in future::join_all(waiting).await {
            woken.unwrap();
        }
    }
}
