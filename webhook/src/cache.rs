//! What the webhook knows of the cluster: both kinds, and the labels of namespaces where it can see them.
//!
//! An object that is not in the cache may have come a moment ago: the API server is asked once, with a
//! deadline.

use alter_crds::{
    AwsGrant, AwsIdentity,
    answer::{InWords, of_watch},
};
use alter_runtime::watch::{self, Scope};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, ObjectMeta, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap, fmt::Debug, future::Future, hash::Hash, sync::Arc, time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long the API server may take to say whether an object is there. Well below the 5 s that it gives the
/// webhook for a grant or an identity, and the 10 s for a pod.
const DEADLINE: Duration = Duration::from_secs(3);
/// So many questions to the API server at a time: whoever reaches the webhook's port can cause them.
const LIVE_LOOKUPS: usize = 32;

/// An object that may not be decodable.
pub type Guarded<K> = Arc<DeserializeGuard<K>>;

/// Why it is not known whether an object is there.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The API server refused or failed.
    #[error(
        "cannot look up {object}: {}; try again",
        InWords(.source)
    )]
    Get {
        /// Kind and name.
        object: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error(
        "cannot look up {object}: the API server did not answer within {} s; try again",
        DEADLINE.as_secs()
    )]
    Deadline {
        /// Kind and name.
        object: String,
    },
}

impl LookupError {
    /// The metrics' `reason`.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Get { .. } => "LookupFailed",
            Self::Deadline { .. } => "LookupTimedOut",
        }
    }
}

/// The objects that decisions depend on.
pub struct Cache {
    client: Client,
    grants: Store<DeserializeGuard<AwsGrant>>,
    identities: Store<DeserializeGuard<AwsIdentity>>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    scope: Scope,
    live: Semaphore,
}

impl Cache {
    /// Watches all three in tasks of their own until `shutdown`. Answers at once, also before it is warm.
    #[must_use]
    pub fn watch(client: Client, scope: Scope, shutdown: &CancellationToken) -> Self {
        let namespaces = if scope.knows_labels() {
            keep(watch_all(&client), strip_to_labels, shutdown)
        } else {
            hold(std::iter::empty())
        };
        Self {
            grants: keep(watch::follow(&client, &scope, &pages()), strip, shutdown),
            identities: keep(watch_all(&client), strip, shutdown),
            namespaces,
            scope,
            live: Semaphore::new(LIVE_LOOKUPS),
            client,
        }
    }

    /// A cache that holds just these objects, and asks `client` for all others.
    #[must_use]
    pub fn holding(
        client: Client,
        grants: Vec<AwsGrant>,
        identities: Vec<AwsIdentity>,
        namespaces: Vec<PartialObjectMeta<Namespace>>,
    ) -> Self {
        Self {
            grants: hold(grants.into_iter().map(|grant| DeserializeGuard(Ok(grant)))),
            identities: hold(identities.into_iter().map(|one| DeserializeGuard(Ok(one)))),
            namespaces: hold(namespaces.into_iter()),
            scope: Scope::Cluster,
            live: Semaphore::new(LIVE_LOOKUPS),
            client,
        }
    }

    /// Ends once all that was there at the start is known.
    pub async fn warm(&self) {
        // An error means that the watch has ended, which it does at shutdown alone.
        let _ = self.grants.wait_until_ready().await;
        let _ = self.identities.wait_until_ready().await;
        let _ = self.namespaces.wait_until_ready().await;
    }

    /// A grant.
    pub async fn grant(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Guarded<AwsGrant>>, LookupError> {
        let key = ObjectRef::new(name).within(namespace);
        self.find(&self.grants, &key, || {
            let api = Api::namespaced(self.client.clone(), namespace);
            async move { api.get_opt(name).await }
        })
        .await
    }

    /// An identity.
    pub async fn identity(&self, name: &str) -> Result<Option<Guarded<AwsIdentity>>, LookupError> {
        self.find(&self.identities, &ObjectRef::new(name), || {
            let api = Api::all(self.client.clone());
            async move { api.get_opt(name).await }
        })
        .await
    }

    /// Whether the labels of namespaces can be seen.
    #[must_use]
    pub const fn knows_labels(&self) -> bool {
        self.scope.knows_labels()
    }

    /// The labels of a namespace; none where it is not there, or they cannot be seen.
    pub async fn namespace_labels(
        &self,
        name: &str,
    ) -> Result<BTreeMap<String, String>, LookupError> {
        if !self.knows_labels() {
            return Ok(BTreeMap::new());
        }
        let found = self
            .find(&self.namespaces, &ObjectRef::new(name), || {
                let api = Api::<Namespace>::all(self.client.clone());
                async move { api.get_metadata_opt(name).await }
            })
            .await?;
        Ok(found.map_or_else(BTreeMap::new, |found| found.labels().clone()))
    }

    /// The grants of a namespace, but those that cannot be decoded.
    pub fn grants_of(&self, namespace: &str) -> impl Iterator<Item = Guarded<AwsGrant>> {
        let all = self.grants.state().into_iter();
        all.filter(move |grant| grant.0.is_ok() && grant.namespace().as_deref() == Some(namespace))
    }

    async fn find<K, F>(
        &self,
        store: &Store<K>,
        key: &ObjectRef<K>,
        get: impl FnOnce() -> F,
    ) -> Result<Option<Arc<K>>, LookupError>
    where
        K: Resource + Clone + 'static,
        K::DynamicType: Default + Eq + Hash + Clone,
        F: Future<Output = kube::Result<Option<K>>>,
    {
        if let Some(found) = store.get(key) {
            return Ok(Some(found));
        }
        let object = || format!("{} {:?}", K::kind(&K::DynamicType::default()), key.name);
        let asked = async {
            // Never closed, so there is always a permit in the end.
            let _permit = self.live.acquire().await;
            get().await
        };
        match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(found)) => Ok(found.map(Arc::new)),
            Ok(Err(source)) => Err(LookupError::Get {
                object: object(),
                source: Box::new(source),
            }),
            Err(_) => Err(LookupError::Deadline { object: object() }),
        }
    }
}

/// Leaves out what no decision needs: whoever may write a grant could else have a MiB kept of each.
fn strip(metadata: &mut ObjectMeta) {
    metadata.labels = None;
    strip_to_labels(metadata);
}

fn strip_to_labels(metadata: &mut ObjectMeta) {
    metadata.annotations = None;
    metadata.finalizers = None;
    metadata.managed_fields = None;
    metadata.owner_references = None;
}

fn pages() -> watcher::Config {
    watcher::Config::default().page_size(watch::PAGE)
}

fn watch_all<K>(
    client: &Client,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    watcher(Api::all(client.clone()), pages()).default_backoff()
}

/// What a watch tells of, kept until `shutdown`.
fn keep<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    strip: fn(&mut ObjectMeta),
    shutdown: &CancellationToken,
) -> Store<K>
where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone + Debug + Send + Sync + Unpin,
{
    let (store, writer) = reflector::store();
    let events = events
        .modify(move |object| strip(object.meta_mut()))
        .reflect(writer);
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        let mut events = std::pin::pin!(events);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.next() => match event {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => tracing::warn!(kind, error = of_watch(&error), "the watch failed, and is tried again"),
                    None => return,
                },
            }
        }
    });
    store
}

fn hold<K>(objects: impl Iterator<Item = K>) -> Store<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (store, mut writer) = reflector::store();
    writer.apply_watcher_event(&watcher::Event::Init);
    for object in objects {
        writer.apply_watcher_event(&watcher::Event::InitApply(object));
    }
    writer.apply_watcher_event(&watcher::Event::InitDone);
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_object_is_small_whatever_its_writer_put_there() {
        let long = || BTreeMap::from([("k".to_owned(), "v".repeat(200_000))]);
        let mut metadata = ObjectMeta {
            name: Some("bedrock".to_owned()),
            labels: Some(long()),
            annotations: Some(long()),
            finalizers: Some(vec!["v".repeat(200_000)]),
            ..ObjectMeta::default()
        };
        strip_to_labels(&mut metadata);
        assert_eq!(metadata.labels, Some(long()), "rules select by them");
        strip(&mut metadata);
        let expected = ObjectMeta {
            name: Some("bedrock".to_owned()),
            ..ObjectMeta::default()
        };
        assert_eq!(metadata, expected);
    }
}
