//! What the broker knows of the cluster, as the watches fill it: both kinds, namespaces, and of pods the metadata.

use crate::bells::{Bell, Bells};
use crate::caller::Caller;
use alter_crds::{
    AwsGrant, AwsIdentity,
    answer::of_watch,
    names::{
        grant::REVOKE_BEFORE,
        pod::{BROKER, BROKER_ASKS, DELIVERY, LIVING},
    },
};
use alter_runtime::watch::{self, Scope};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, ObjectMeta, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        watcher::{self, Config, Event, watcher},
    },
};
use std::{hash::Hash, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a pod may be behind its token: it asks as soon as it starts, and its watch may bring it a moment later.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// An object that may not be decodable.
pub(crate) type Guarded<K> = Arc<DeserializeGuard<K>>;

/// The objects that decisions depend on, and whom their changes wake.
pub struct Cluster {
    pub(crate) bells: Bells,
    scope: Scope,
    grants: Store<DeserializeGuard<AwsGrant>>,
    identities: Store<DeserializeGuard<AwsIdentity>>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    pods: Store<PartialObjectMeta<Pod>>,
}

/// Fills a [`Cluster`]: the watches, or in tests whoever holds it.
pub struct Fillers {
    /// Of grants.
    pub grants: Filler<DeserializeGuard<AwsGrant>>,
    /// Of identities.
    pub identities: Filler<DeserializeGuard<AwsIdentity>>,
    /// Of namespaces.
    pub namespaces: Filler<PartialObjectMeta<Namespace>>,
    /// Of pods.
    pub pods: Filler<PartialObjectMeta<Pod>>,
}

/// Fills one cache, and wakes those who wait for what changed.
pub struct Filler<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    writer: Writer<K>,
    bells: Bells,
    bell: fn(&K) -> Option<Bell>,
}

impl Cluster {
    /// Knows nothing yet of what is in the scope.
    #[must_use]
    pub fn new(scope: Scope) -> (Self, Fillers) {
        let bells = Bells::default();
        let grants = Filler::new(&bells, |grant: &DeserializeGuard<AwsGrant>| {
            Some(Bell::Grant(grant.namespace()?, grant.name_any()))
        });
        // There are few, and any grant may go by one.
        let identities = Filler::new(&bells, |_| None);
        let namespaces = Filler::new(&bells, |namespace: &PartialObjectMeta<Namespace>| {
            Some(Bell::Namespace(namespace.name_any()))
        });
        let pods = Filler::new(&bells, |pod: &PartialObjectMeta<Pod>| {
            Some(Bell::Pod(pod.uid()?))
        });
        let cluster = Self {
            bells,
            scope,
            grants: grants.writer.as_reader(),
            identities: identities.writer.as_reader(),
            namespaces: namespaces.writer.as_reader(),
            pods: pods.writer.as_reader(),
        };
        let fillers = Fillers {
            grants,
            identities,
            namespaces,
            pods,
        };
        (cluster, fillers)
    }

    /// Ends once all that was there at the start is known.
    pub async fn warm(&self) {
        // An error means that the watch has ended, which it does at shutdown alone.
        let _ = self.grants.wait_until_ready().await;
        let _ = self.identities.wait_until_ready().await;
        if self.knows_labels() {
            let _ = self.namespaces.wait_until_ready().await;
        }
        let _ = self.pods.wait_until_ready().await;
    }

    /// Whether namespaces can be seen.
    pub(crate) const fn knows_labels(&self) -> bool {
        self.scope.knows_labels()
    }

    /// Ends once the caller's pod is known, or should be.
    pub(crate) async fn meet(&self, caller: &Caller) {
        let listener = self.bells.listen(vec![Bell::Pod(caller.uid.clone())]);
        let seen = async {
            while self.pod(caller).is_none() {
                listener.rung().await;
            }
        };
        // Ignored: then it is gone.
        let _ = tokio::time::timeout(SEEN_WITHIN, seen).await;
    }

    /// The caller's pod, while it is there and has not ended. Another of its name is another one.
    pub(crate) fn pod(&self, caller: &Caller) -> Option<Arc<PartialObjectMeta<Pod>>> {
        let key = ObjectRef::new(&caller.pod).within(&caller.namespace);
        let found = self.pods.get(&key);
        found.filter(|pod| pod.metadata.uid.as_ref() == Some(&caller.uid))
    }

    pub(crate) fn grant(&self, namespace: &str, name: &str) -> Option<Guarded<AwsGrant>> {
        self.grants.get(&ObjectRef::new(name).within(namespace))
    }

    pub(crate) fn identities(&self) -> Vec<Guarded<AwsIdentity>> {
        self.identities.state()
    }

    pub(crate) fn identity(&self, name: &str) -> Option<Guarded<AwsIdentity>> {
        self.identities.get(&ObjectRef::new(name))
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<Arc<PartialObjectMeta<Namespace>>> {
        self.namespaces.get(&ObjectRef::new(name))
    }
}

impl Fillers {
    /// Watches all of it in tasks of their own until `shutdown`.
    pub fn watch(self, client: &Client, scope: &Scope, shutdown: &CancellationToken) {
        let plain = Config::default().page_size(watch::PAGE);
        let asks = format!("{BROKER}={BROKER_ASKS}");
        // Pods that have ended leave the watch, as if they were deleted.
        let pods = plain.clone().labels(&asks).fields(LIVING);
        let grants = watch::follow(client, scope, &plain);
        self.grants.follow(grants, with_revocation, shutdown);
        let pods = watch::follow(client, scope, &pods);
        self.pods.follow(pods, with_delivery, shutdown);
        let identities = watcher(Api::all(client.clone()), plain.clone()).default_backoff();
        self.identities.follow(identities, without_labels, shutdown);
        if scope.knows_labels() {
            let namespaces = watcher(Api::all(client.clone()), plain).default_backoff();
            self.namespaces.follow(namespaces, with_labels, shutdown);
        }
    }
}

impl<K> Filler<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    fn new(bells: &Bells, bell: fn(&K) -> Option<Bell>) -> Self {
        Self {
            writer: Writer::default(),
            bells: bells.clone(),
            bell,
        }
    }

    /// Takes one event of the watch.
    pub fn take(&mut self, event: &Event<K>) {
        self.writer.apply_watcher_event(event);
        match event {
            Event::Init | Event::InitApply(_) => {}
            // What a list lacks was deleted while the watch was broken.
            Event::InitDone => self.bells.ring_all(),
            Event::Apply(object) | Event::Delete(object) => match (self.bell)(object) {
                Some(bell) => self.bells.ring(&bell),
                None => self.bells.ring_all(),
            },
        }
    }

    fn follow(
        mut self,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        strip: fn(&mut ObjectMeta),
        shutdown: &CancellationToken,
    ) where
        K: Send + Sync,
        K::DynamicType: Send + Sync,
    {
        let shutdown = shutdown.clone();
        let events = events.modify(move |object| strip(object.meta_mut()));
        tokio::spawn(async move {
            let kind = K::kind(&K::DynamicType::default()).into_owned();
            let mut events = std::pin::pin!(events);
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    event = events.next() => match event {
                        Some(Ok(event)) => self.take(&event),
                        Some(Err(error)) => tracing::warn!(kind, error = of_watch(&error), "a watch broke: it begins anew"),
                        None => return,
                    },
                }
            }
        });
    }
}

/// Leaves out what no decision needs: whoever may write an object could else have a MiB kept of each.
fn with_labels(metadata: &mut ObjectMeta) {
    metadata.annotations = None;
    metadata.finalizers = None;
    metadata.managed_fields = None;
    metadata.owner_references = None;
}

fn without_labels(metadata: &mut ObjectMeta) {
    metadata.labels = None;
    with_labels(metadata);
}

fn with_delivery(metadata: &mut ObjectMeta) {
    with_annotation(metadata, DELIVERY);
}

fn with_revocation(metadata: &mut ObjectMeta) {
    with_annotation(metadata, REVOKE_BEFORE);
}

fn with_annotation(metadata: &mut ObjectMeta, key: &str) {
    let all = metadata.annotations.as_mut();
    let own = all.and_then(|all| all.remove_entry(key));
    without_labels(metadata);
    metadata.annotations = own.map(|own| [own].into());
}
