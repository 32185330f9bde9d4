//! Which grants pods use, in a form small enough for tens of thousands of pods: some fifty bytes each, and a few more for
//! each further grant, whatever a pod's author writes into the annotation.

use super::seen::Seen;
use crate::grant::cache::{self, GrantName};
use alter_runtime::watch::Scope;
use kube::runtime::watcher::Event;
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    sync::{PoisonError, RwLock},
};
use tokio::sync::watch;

/// Which grants pods use.
#[derive(Debug)]
pub(crate) struct Users {
    wanted: watch::Sender<bool>,
    hasher: RandomState,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// As the scope has them: one, or one a namespace.
    parts: Vec<Part>,
    counts: Counts,
    /// Grants of pods whose agent is from a release that set no label; none before they were looked for.
    unlabelled: Option<HashSet<GrantName>>,
}

#[derive(Debug, Default)]
struct Part {
    pods: Pods,
    /// A list that is coming in.
    listed: Pods,
    /// Whether a list was in, ever.
    is_listed: bool,
    /// Whether the watch broke and has told of nothing since.
    is_doubted: bool,
}

/// A digest of a pod's UID, or of a grant's name.
type Key = u64;
/// The grants of each pod that uses any.
type Pods = HashMap<Key, Box<[Key]>>;
/// How many pods use a grant; one that none uses is not there.
type Counts = HashMap<Key, u32>;

impl Users {
    /// Knows nothing yet of the scope.
    pub(crate) fn new(scope: &Scope) -> Self {
        let parts = match scope {
            Scope::Cluster => 1,
            Scope::Namespaces(names) => names.len(),
        };
        Self {
            wanted: watch::Sender::new(false),
            hasher: RandomState::new(),
            state: RwLock::new(State {
                parts: (0..parts).map(|_| Part::default()).collect(),
                counts: Counts::new(),
                unlabelled: None,
            }),
        }
    }

    /// There is a grant that can pause.
    pub(crate) fn want(&self) {
        self.wanted
            .send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Returns once there is.
    pub(crate) async fn wanted(&self) {
        let mut wanted = self.wanted.subscribe();
        // Fails only when the sender, which is a field of self, is dropped.
        let _ = wanted.wait_for(|wanted| *wanted).await;
    }

    /// Whether pods use the grant; none while that is not known.
    pub(crate) fn use_of(&self, grant: &str) -> Option<bool> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = state.parts.iter();
        let are_listed = parts.all(|own| own.is_listed && !own.is_doubted);
        let unlabelled = state.unlabelled.as_ref();
        if state.counts.contains_key(&self.hasher.hash_one(grant))
            || unlabelled.is_some_and(|own| own.contains(grant))
        {
            return Some(true);
        }
        (are_listed && unlabelled.is_some()).then_some(false)
    }

    /// Follows the watch of a part; gives the grants of the pod whose first user came, or whose last one went. Of a
    /// list that came in nothing is given, as it may tell of every grant; nor of a name that was taken out of an annotation.
    pub(crate) fn follow(&self, part: usize, event: &Event<Seen>) -> Vec<GrantName> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State { parts, counts, .. } = &mut *state;
        let Some(part) = parts.get_mut(part) else {
            return Vec::new();
        };
        match event {
            Event::Init => part.listed = Pods::new(),
            Event::InitApply(pod) => {
                let (_, keys) = self.grants_of(pod);
                if !keys.is_empty() {
                    part.listed.insert(self.hasher.hash_one(pod.uid()), keys);
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut part.listed);
                for grants in listed.values() {
                    count_up(counts, grants);
                }
                let gone = std::mem::replace(&mut part.pods, listed);
                for grants in gone.values() {
                    count_down(counts, grants);
                }
                (part.is_listed, part.is_doubted) = (true, false);
            }
            Event::Apply(pod) | Event::Delete(pod) => {
                part.is_doubted = false;
                let (names, keys) = self.grants_of(pod);
                let used = |counts: &Counts| -> Vec<bool> {
                    keys.iter().map(|key| counts.contains_key(key)).collect()
                };
                let before = used(counts);
                let is_there = matches!(event, Event::Apply(_));
                let now = if is_there {
                    keys.clone()
                } else {
                    Box::default()
                };
                part.put(counts, self.hasher.hash_one(pod.uid()), now);
                let changed = before.into_iter().zip(used(counts)).zip(names);
                let changed = changed.filter(|((before, after), _)| before != after);
                return changed.map(|(_, name)| name).collect();
            }
        }
        Vec::new()
    }

    /// The watch of a part broke: who came since is not known.
    pub(crate) fn doubt(&self, part: usize) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = state.parts.get_mut(part) {
            part.is_doubted = true;
        }
    }

    /// What a pass over pods without the label found; none where it no longer counts. Whether it is news.
    pub(crate) fn found_unlabelled(&self, grants: Option<HashSet<GrantName>>) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut state.unlabelled, grants);
        before != state.unlabelled
    }

    /// The grants that a pod names, of its own namespace.
    fn grants_of(&self, pod: &Seen) -> (Vec<GrantName>, Box<[Key]>) {
        let names = pod.grants.iter();
        let names: Vec<_> = names
            .map(|own| cache::name(Some(pod.namespace()), own))
            .collect();
        let keys = names.iter().map(|name| self.hasher.hash_one(&**name));
        let keys = keys.collect();
        (names, keys)
    }
}

impl Part {
    /// The pod's grants are these from now on.
    fn put(&mut self, counts: &mut Counts, pod: Key, grants: Box<[Key]>) {
        count_up(counts, &grants);
        let before = if grants.is_empty() {
            self.pods.remove(&pod)
        } else {
            self.pods.insert(pod, grants)
        };
        count_down(counts, &before.unwrap_or_default());
    }
}

fn count_up(counts: &mut Counts, grants: &[Key]) {
    for grant in grants {
        *counts.entry(*grant).or_default() += 1;
    }
}

fn count_down(counts: &mut Counts, grants: &[Key]) {
    for grant in grants {
        if let Entry::Occupied(mut entry) = counts.entry(*grant) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_crds::names::pod::GRANT;
    use serde_json::json;

    fn pod(uid: &str, grants: &str) -> Seen {
        let metadata = json!({"name": "p", "namespace": "a", "uid": uid,
            "annotations": {(GRANT): grants}});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    fn list(users: &Users, part: usize, pods: &[Seen]) {
        users.follow(part, &Event::Init);
        for pod in pods {
            users.follow(part, &Event::InitApply(pod.clone()));
        }
        assert_eq!(users.follow(part, &Event::InitDone), []);
    }

    fn told(users: &Users, event: &Event<Seen>) -> Vec<String> {
        let names = users.follow(0, event);
        names.iter().map(ToString::to_string).collect()
    }

    fn known() -> Users {
        let users = Users::new(&Scope::Cluster);
        list(&users, 0, &[]);
        users.found_unlabelled(Some(HashSet::new()));
        users
    }

    #[test]
    fn the_first_pod_and_the_end_of_the_last_are_told() {
        let users = known();
        assert_eq!(users.use_of("a/x"), Some(false));
        let one = Event::Apply(pod("1", "x,y"));
        assert_eq!(told(&users, &one), ["a/x", "a/y"]);
        assert_eq!(told(&users, &one), [""; 0], "it tells of something else");
        assert_eq!(told(&users, &Event::Apply(pod("2", "x"))), [""; 0]);
        assert_eq!(users.use_of("a/x"), Some(true));
        assert_eq!(users.use_of("b/x"), Some(false), "of another namespace");
        assert_eq!(told(&users, &Event::Delete(pod("1", "x,y"))), ["a/y"]);
        assert_eq!(told(&users, &Event::Delete(pod("1", "x,y"))), [""; 0]);
        assert_eq!(told(&users, &Event::Delete(pod("2", "x"))), ["a/x"]);
        let state = users.state.read().unwrap();
        assert!(state.counts.is_empty() && state.parts[0].pods.is_empty());
    }

    #[test]
    fn an_annotation_that_changes_moves_the_pod() {
        let users = known();
        told(&users, &Event::Apply(pod("1", "x")));
        assert_eq!(told(&users, &Event::Apply(pod("1", "y"))), ["a/y"]);
        assert_eq!(users.use_of("a/x"), Some(false));
        told(&users, &Event::Apply(pod("1", "")));
        assert_eq!(users.use_of("a/y"), Some(false));
    }

    #[test]
    fn half_a_list_decides_nothing_and_a_new_one_replaces_the_old() {
        let users = Users::new(&Scope::Cluster);
        users.found_unlabelled(Some(HashSet::new()));
        users.follow(0, &Event::Init);
        users.follow(0, &Event::InitApply(pod("1", "x")));
        assert_eq!((users.use_of("a/x"), users.use_of("a/y")), (None, None));
        users.follow(0, &Event::InitDone);
        assert_eq!(users.use_of("a/x"), Some(true));
        list(&users, 0, &[pod("2", "y"), pod("3", "y")]);
        assert_eq!(users.use_of("a/x"), Some(false));
        told(&users, &Event::Delete(pod("2", "y")));
        assert_eq!(users.use_of("a/y"), Some(true), "by the other");
    }

    #[test]
    fn what_is_not_known_is_not_called_unused() {
        let users = known();
        users.found_unlabelled(None);
        assert_eq!(users.use_of("a/x"), None, "older pods were not looked for");
        users.found_unlabelled(Some(HashSet::from(["a/x".into()])));
        assert_eq!(
            (users.use_of("a/x"), users.use_of("a/y")),
            (Some(true), Some(false))
        );
        users.doubt(0);
        assert_eq!(
            (users.use_of("a/x"), users.use_of("a/y")),
            (Some(true), None)
        );
        told(&users, &Event::Apply(pod("1", "z")));
        assert_eq!(users.use_of("a/y"), Some(false), "the watch tells again");
    }

    #[test]
    fn each_namespace_that_is_watched_has_its_part() {
        let users = Users::new(&"a,b".parse().unwrap());
        users.found_unlabelled(Some(HashSet::new()));
        list(&users, 0, &[pod("1", "x")]);
        assert_eq!(
            (users.use_of("a/x"), users.use_of("a/y")),
            (Some(true), None)
        );
        list(&users, 1, &[]);
        assert_eq!(
            (users.use_of("a/x"), users.use_of("a/y")),
            (Some(true), Some(false))
        );
    }
}
