//! Who of the annotated pods without the webhook's label runs without an agent. Pure.

use super::seen::Seen;
use crate::grant::cache::{self, GrantName};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{PoisonError, RwLock},
};

/// How many pods of each grant run without their agent, as the last pass found.
#[derive(Debug, Default)]
pub(crate) struct Orphans(RwLock<Option<HashMap<GrantName, u32>>>);

impl Orphans {
    /// How many of the grant's do; none while that is not known.
    pub(crate) fn of(&self, grant: &str) -> Option<u32> {
        let counts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        counts
            .as_ref()
            .map(|own| own.get(grant).copied().unwrap_or(0))
    }

    /// What a pass found; none where it no longer counts.
    pub(crate) fn set(&self, counts: Option<HashMap<GrantName, u32>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = counts;
    }
}

/// As a status says it: what is not known stays as it was told, and none is not told.
pub(crate) fn in_status(counted: Option<u32>, told: Option<i32>) -> Option<i32> {
    let Some(count) = counted else { return told };
    (count > 0).then(|| i32::try_from(count).unwrap_or(i32::MAX))
}

/// What a pod without the label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has an agent, from a release that set no label, or someone took the label off.
    Unlabelled,
    /// It runs without one.
    Orphan,
}

/// The pods that were judged, by a digest of their UID: what a pod is never changes, and asking costs a call.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    hasher: RandomState,
    known: HashMap<u64, Kind>,
}

/// What a pass has found so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Orphans, those too whose grants are not there.
    pub(crate) total: i64,
    /// Orphans by grant.
    pub(crate) orphans: HashMap<GrantName, u32>,
    /// Grants of pods with an unlabelled agent, or with one that nobody knows of.
    pub(crate) used: HashSet<GrantName>,
    known: HashMap<u64, Kind>,
}

impl Roll {
    /// What an earlier pass found the pod to be.
    pub(crate) fn of(&self, pod: &Seen) -> Option<Kind> {
        self.known.get(&self.key(pod)).copied()
    }

    /// Counts a pod. `is_there` is whether a grant is: only so many names are kept as there are grants.
    pub(crate) fn count(
        &self,
        pod: &Seen,
        kind: Kind,
        found: &mut Found,
        is_there: impl Fn(&GrantName) -> bool,
    ) {
        found.known.insert(self.key(pod), kind);
        match kind {
            Kind::Unlabelled => found.spare(pod, is_there),
            Kind::Orphan => {
                found.total += 1;
                for name in names(pod).filter(is_there) {
                    *found.orphans.entry(name).or_default() += 1;
                }
            }
        }
    }

    /// The pass is over: pods that it did not meet are gone.
    pub(crate) fn keep(&mut self, found: &mut Found) {
        self.known = std::mem::take(&mut found.known);
    }

    fn key(&self, pod: &Seen) -> u64 {
        self.hasher.hash_one(pod.uid())
    }
}

impl Found {
    /// The pod's grants count as used.
    pub(crate) fn spare(&mut self, pod: &Seen, is_there: impl Fn(&GrantName) -> bool) {
        self.used.extend(names(pod).filter(is_there));
    }
}

fn names(pod: &Seen) -> impl Iterator<Item = GrantName> {
    let names = pod.grants.iter();
    names.map(|own| cache::name(Some(pod.namespace()), own))
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

    #[test]
    fn orphans_are_counted_by_grant_and_agents_without_the_label_use_theirs() {
        let (roll, mut found) = (Roll::default(), Found::default());
        let is_there = |name: &GrantName| !name.ends_with("/none");
        roll.count(&pod("1", "x,none"), Kind::Orphan, &mut found, is_there);
        roll.count(&pod("2", "x,y"), Kind::Orphan, &mut found, is_there);
        roll.count(&pod("3", "none"), Kind::Orphan, &mut found, is_there);
        roll.count(&pod("4", "z,none"), Kind::Unlabelled, &mut found, is_there);
        let orphans = HashMap::from([("a/x".into(), 2), ("a/y".into(), 1)]);
        assert_eq!((found.total, found.orphans), (3, orphans));
        assert_eq!(found.used, HashSet::from(["a/z".into()]));
    }

    #[test]
    fn a_pod_is_judged_once_and_forgotten_when_it_is_gone() {
        let mut roll = Roll::default();
        for kind in [Kind::Orphan, Kind::Unlabelled] {
            let mut found = Found::default();
            roll.count(&pod("1", "x"), kind, &mut found, |_| true);
            roll.keep(&mut found);
            assert_eq!(roll.of(&pod("1", "y")), Some(kind));
            assert_eq!(roll.of(&pod("2", "x")), None);
        }
        roll.keep(&mut Found::default());
        assert_eq!(roll.of(&pod("1", "x")), None);
    }

    #[test]
    fn a_status_says_some_and_keeps_what_is_not_known() {
        let orphans = Orphans::default();
        assert_eq!(in_status(orphans.of("a/x"), Some(3)), Some(3));
        orphans.set(Some(HashMap::from([("a/x".into(), 2)])));
        assert_eq!(in_status(orphans.of("a/x"), Some(3)), Some(2));
        assert_eq!(in_status(orphans.of("a/y"), Some(3)), None);
        orphans.set(None);
        assert_eq!(in_status(orphans.of("a/y"), None), None);
    }
}
