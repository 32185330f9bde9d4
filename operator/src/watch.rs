//! What the watches fill: whether they have been filled, and with what.

use kube::core::ObjectMeta;
use std::collections::BTreeSet;
use tokio::sync::watch;

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

/// Leaves out what no decision needs: at ten thousand grants it would be most of the memory.
pub(crate) fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.annotations = None;
    metadata.labels = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, future};

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
