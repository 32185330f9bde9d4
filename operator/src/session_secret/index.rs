//! What is known of every session's Secret, in a form small enough for ten thousand of them.

use super::facts::Facts;
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt, core::PartialObjectMeta, runtime::watcher::Event};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// Namespace and name.
type Key = (String, String);

/// The facts of all Secrets that the watch has seen.
#[derive(Debug, Default)]
pub(crate) struct Index {
    known: RwLock<HashMap<Key, Facts>>,
}

/// Of a list that is still coming in.
pub(crate) type Pending = HashMap<Key, Facts>;

impl Index {
    /// Follows a watch. `pending` holds a list while it comes in, so that what the list lacks goes.
    pub(crate) fn apply(&self, pending: &mut Pending, event: &Event<PartialObjectMeta<Secret>>) {
        match event {
            Event::Init => pending.clear(),
            Event::InitApply(object) => {
                if let Ok(facts) = Facts::read(&object.metadata) {
                    pending.insert(key_of(object), facts);
                }
            }
            Event::InitDone => {
                *self.write() = std::mem::take(pending);
            }
            Event::Apply(object) => match Facts::read(&object.metadata) {
                Ok(facts) => {
                    self.write().insert(key_of(object), facts);
                }
                Err(_) => self.forget(&key_of(object)),
            },
            Event::Delete(object) => self.forget(&key_of(object)),
        }
    }

    /// What this process itself has just written, before the watch tells.
    pub(crate) fn insert(&self, namespace: &str, name: &str, facts: Facts) {
        self.write()
            .insert((namespace.to_owned(), name.to_owned()), facts);
    }

    /// What is known of a Secret.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Facts> {
        let key = (namespace.to_owned(), name.to_owned());
        self.read().get(&key).cloned()
    }

    /// Those that `wanted` picks. It runs under the lock: it must be quick.
    pub(crate) fn pick(&self, wanted: impl Fn(&Key, &Facts) -> bool) -> Vec<(Key, Facts)> {
        let known = self.read();
        let picked = known.iter().filter(|(key, facts)| wanted(key, facts));
        picked
            .map(|(key, facts)| (key.clone(), facts.clone()))
            .collect()
    }

    fn forget(&self, key: &Key) {
        self.write().remove(key);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Key, Facts>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Key, Facts>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(object: &PartialObjectMeta<Secret>) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn object(name: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta {
            metadata: kube::core::ObjectMeta {
                name: Some(name.to_owned()),
                ..fixtures::secret_metadata("g-1")
            },
            ..PartialObjectMeta::default()
        }
    }

    #[test]
    fn follows_a_watch_and_drops_what_a_new_list_lacks() {
        let (index, mut pending) = (Index::default(), Pending::new());
        index.apply(&mut pending, &Event::Init);
        index.apply(&mut pending, &Event::InitApply(object("a")));
        index.apply(&mut pending, &Event::InitApply(object("b")));
        assert!(
            index.get("team-a", "a").is_none(),
            "half a list decides nothing"
        );
        index.apply(&mut pending, &Event::InitDone);
        index.apply(&mut pending, &Event::Apply(object("c")));
        index.apply(&mut pending, &Event::Delete(object("b")));
        assert_eq!(index.pick(|_, _| true).len(), 2);
        index.apply(&mut pending, &Event::Init);
        index.apply(&mut pending, &Event::InitApply(object("c")));
        index.apply(&mut pending, &Event::InitDone);
        assert_eq!(index.pick(|_, _| true).len(), 1);
    }

    #[test]
    fn a_secret_that_lost_its_marks_is_no_longer_known() {
        let (index, mut pending) = (Index::default(), Pending::new());
        index.apply(&mut pending, &Event::Apply(object("a")));
        let mut bare = object("a");
        bare.metadata.annotations = None;
        index.apply(&mut pending, &Event::Apply(bare));
        assert!(index.get("team-a", "a").is_none());
    }
}
