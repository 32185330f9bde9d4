//! What is known of every session's Secret, in a form small enough for ten thousand of them.

use super::facts::Facts;
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt, core::PartialObjectMeta, runtime::watcher::Event};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// Namespace and name.
pub(crate) type Key = (String, String);

/// The facts of all Secrets that the watch has seen.
#[derive(Debug, Default)]
pub(crate) struct Index {
    known: RwLock<Known>,
}

/// Of a list that is still coming in.
pub(crate) type Pending = Known;

/// The facts stand apart from the table, a third or more of which is empty.
type Known = HashMap<Key, Box<Facts>>;

impl Index {
    /// Follows a watch; gives what is not as it was known: the facts before, after, or both. What this process
    /// wrote itself comes back as it was known. `pending` holds a list while it comes in, so that what the
    /// list lacks goes.
    pub(crate) fn follow(
        &self,
        pending: &mut Pending,
        event: &Event<PartialObjectMeta<Secret>>,
    ) -> Vec<(Key, Facts)> {
        match event {
            Event::Init => {
                pending.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Ok(facts) = Facts::read(&object.metadata) {
                    pending.insert(key_of(object), Box::new(facts));
                }
                Vec::new()
            }
            Event::InitDone => {
                let mut known = self.write();
                let before = std::mem::replace(&mut *known, std::mem::take(pending));
                let gone_or_changed = differing(&before, &known);
                let new_or_changed = differing(&known, &before);
                gone_or_changed.chain(new_or_changed).collect()
            }
            Event::Apply(object) => {
                let key = key_of(object);
                let after = Facts::read(&object.metadata).ok().map(Box::new);
                let mut known = self.write();
                let before = match &after {
                    Some(facts) => known.insert(key.clone(), facts.clone()),
                    None => known.remove(&key),
                };
                drop(known);
                if before == after {
                    return Vec::new();
                }
                let both = before.into_iter().chain(after);
                both.map(|facts| (key.clone(), *facts)).collect()
            }
            Event::Delete(object) => {
                let key = key_of(object);
                let before = self.write().remove(&key);
                before.map(|facts| (key, *facts)).into_iter().collect()
            }
        }
    }

    /// What this process itself has just written, before the watch tells.
    pub(crate) fn insert(&self, namespace: &str, name: &str, facts: Facts) {
        self.write()
            .insert((namespace.to_owned(), name.to_owned()), Box::new(facts));
    }

    /// What is known of a Secret.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Facts> {
        let key = (namespace.to_owned(), name.to_owned());
        self.read().get(&key).map(|facts| (**facts).clone())
    }

    /// Those that `wanted` picks. It runs under the lock: it must be quick.
    pub(crate) fn pick(&self, wanted: impl Fn(&Key, &Facts) -> bool) -> Vec<(Key, Facts)> {
        let known = self.read();
        let picked = known.iter().filter(|(key, facts)| wanted(key, facts));
        picked
            .map(|(key, facts)| (key.clone(), (**facts).clone()))
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one holds and the other does not hold so.
fn differing<'a>(one: &'a Known, other: &'a Known) -> impl Iterator<Item = (Key, Facts)> + 'a {
    one.iter()
        .filter(|(key, facts)| other.get(*key) != Some(*facts))
        .map(|(key, facts)| (key.clone(), (**facts).clone()))
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

    fn names(changed: &[(Key, Facts)]) -> Vec<&str> {
        changed.iter().map(|((_, name), _)| &**name).collect()
    }

    #[test]
    fn follows_a_watch_and_drops_what_a_new_list_lacks() {
        let (index, mut pending) = (Index::default(), Pending::new());
        let mut follow = |event| index.follow(&mut pending, &event);
        follow(Event::Init);
        follow(Event::InitApply(object("a")));
        follow(Event::InitApply(object("b")));
        assert!(
            index.get("team-a", "a").is_none(),
            "half a list decides nothing"
        );
        assert_eq!(follow(Event::InitDone).len(), 2);
        assert_eq!(names(&follow(Event::Apply(object("c")))), ["c"]);
        assert_eq!(names(&follow(Event::Delete(object("b")))), ["b"]);
        assert_eq!(index.pick(|_, _| true).len(), 2);
        follow(Event::Init);
        follow(Event::InitApply(object("c")));
        assert_eq!(names(&follow(Event::InitDone)), ["a"], "a is gone");
        assert_eq!(index.pick(|_, _| true).len(), 1);
    }

    #[test]
    fn what_this_process_wrote_itself_is_no_change() {
        let (index, mut pending) = (Index::default(), Pending::new());
        let written = Facts::read(&object("a").metadata).unwrap();
        index.insert("team-a", "a", written);
        let mut follow = |event| index.follow(&mut pending, &event);
        assert_eq!(follow(Event::Apply(object("a"))), []);
        let mut edited = object("a");
        edited.annotations_mut().insert(
            alter_crds::names::secret::INPUT_DIGEST.to_owned(),
            "another".to_owned(),
        );
        assert_eq!(names(&follow(Event::Apply(edited))), ["a", "a"]);
    }

    #[test]
    fn a_secret_that_lost_its_marks_is_no_longer_known() {
        let (index, mut pending) = (Index::default(), Pending::new());
        index.follow(&mut pending, &Event::Apply(object("a")));
        let mut bare = object("a");
        bare.metadata.annotations = None;
        let changed = index.follow(&mut pending, &Event::Apply(bare));
        assert_eq!(names(&changed), ["a"], "its grant hears of it");
        assert!(index.get("team-a", "a").is_none());
    }
}
