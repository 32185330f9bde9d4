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
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    /// This process's own writes that are on their way: a few.
    writes: Vec<(u64, Key)>,
    begun: u64,
}

/// A write of this process, until it is dropped.
#[derive(Debug)]
pub(crate) struct Writing<'i> {
    index: &'i Index,
    number: u64,
    key: Key,
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
                let mut state = self.write();
                state.writes.clear();
                let before = std::mem::replace(&mut state.known, std::mem::take(pending));
                let gone_or_changed = differing(&before, &state.known);
                let new_or_changed = differing(&state.known, &before);
                gone_or_changed.chain(new_or_changed).collect()
            }
            Event::Apply(object) => {
                let key = key_of(object);
                let after = Facts::read(&object.metadata).ok().map(Box::new);
                let mut state = self.write();
                state.heard_of(&key);
                let before = match &after {
                    Some(facts) => state.known.insert(key.clone(), facts.clone()),
                    None => state.known.remove(&key),
                };
                drop(state);
                if before == after {
                    return Vec::new();
                }
                let both = before.into_iter().chain(after);
                both.map(|facts| (key.clone(), *facts)).collect()
            }
            Event::Delete(object) => {
                let key = key_of(object);
                let mut state = self.write();
                state.heard_of(&key);
                let before = state.known.remove(&key);
                drop(state);
                before.map(|facts| (key, *facts)).into_iter().collect()
            }
        }
    }

    /// This process begins to write a Secret.
    pub(crate) fn writing(&self, namespace: &str, name: &str) -> Writing<'_> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut state = self.write();
        state.begun += 1;
        let number = state.begun;
        state.writes.push((number, key.clone()));
        drop(state);
        Writing {
            index: self,
            number,
            key,
        }
    }

    /// What is known of a Secret.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Facts> {
        let key = (namespace.to_owned(), name.to_owned());
        self.read().known.get(&key).map(|facts| (**facts).clone())
    }

    /// Those that `wanted` picks. It runs under the lock: it must be quick.
    pub(crate) fn pick(&self, wanted: impl Fn(&Key, &Facts) -> bool) -> Vec<(Key, Facts)> {
        let state = self.read();
        let picked = state.known.iter().filter(|(key, facts)| wanted(key, facts));
        picked
            .map(|(key, facts)| (key.clone(), (**facts).clone()))
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn heard_of(&mut self, key: &Key) {
        self.writes.retain(|(_, written)| written != key);
    }
}

impl Writing<'_> {
    /// It was written so, which is known before the watch tells. Where the watch has told of the Secret since the
    /// write began, that stands: it may be what somebody else did right after, and nothing would tell of it again.
    /// Should it be older, the watch has yet to bring the write.
    pub(crate) fn done(self, facts: Facts) {
        let mut state = self.index.write();
        if state.writes.iter().any(|(own, _)| *own == self.number) {
            state.known.insert(self.key.clone(), Box::new(facts));
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.index.write();
        state.writes.retain(|(own, _)| *own != self.number);
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
        index.writing("team-a", "a").done(written);
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
    fn what_the_watch_told_during_a_write_stands() {
        let (index, mut pending) = (Index::default(), Pending::new());
        let facts = Facts::read(&object("a").metadata).unwrap();
        let mut written = |events: Vec<_>| {
            let writing = index.writing("team-a", "a");
            for event in events {
                index.follow(&mut pending, &event);
            }
            writing.done(facts.clone());
            index.get("team-a", "a").is_some()
        };
        let removed = || vec![Event::Apply(object("a")), Event::Delete(object("a"))];
        assert!(!written(removed()), "somebody removed it right after");
        assert!(written(vec![Event::Delete(object("b"))]));
        assert!(!written(vec![Event::Init, Event::InitDone]));
        assert!(written(Vec::new()));
        assert_eq!(index.read().writes, []);
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
