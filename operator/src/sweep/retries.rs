//! Which Secrets could not be looked after, and when they are tried again: one that cannot be removed costs
//! neither calls nor log lines without end, and holds up no other.

use crate::session_secret::index::Key;
use alter_policy::backoff::doubled;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_mins(5);

/// By namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Retries(HashMap<Key, Failed>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    again_at: Timestamp,
}

impl Retries {
    /// When a Secret is tried again, if that is not now.
    pub(crate) fn waits(&self, key: &Key, now: Timestamp) -> Option<Timestamp> {
        let again_at = self.0.get(key)?.again_at;
        // One further ahead than any wait is of a clock that was set back.
        let within_reach = again_at.duration_since(now) <= length(LAST);
        (now < again_at && within_reach).then_some(again_at)
    }

    /// It failed; gives when it is tried again.
    pub(crate) fn failed(&mut self, key: Key, now: Timestamp) -> Timestamp {
        let times = self
            .0
            .get(&key)
            .map_or(0, |own| own.times)
            .saturating_add(1);
        let wait = length(doubled(FIRST, LAST, times));
        let again_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        self.0.insert(key, Failed { times, again_at });
        again_at
    }

    /// It worked.
    pub(crate) fn worked(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Forgets all others.
    pub(crate) fn keep(&mut self, keys: &HashSet<&Key>) {
        self.0.retain(|key, _| keys.contains(key));
    }
}

fn length(wait: Duration) -> SignedDuration {
    SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    fn key(name: &str) -> Key {
        ("team-a".to_owned(), name.to_owned())
    }

    #[test]
    fn each_waits_longer_and_by_itself() {
        let mut retries = Retries::default();
        let mut at = now();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let next = retries.failed(key("a"), at);
            waits.push(next.duration_since(at).as_secs());
            assert_eq!(retries.waits(&key("a"), at), Some(next));
            assert_eq!(retries.waits(&key("a"), next), None);
            at = next;
        }
        assert_eq!((waits[0], waits[3], waits[11]), (1, 8, 300));
        assert_eq!(retries.waits(&key("b"), now()), None);
        let back = now() - SignedDuration::from_hours(24);
        assert_eq!(retries.waits(&key("a"), back), None);
    }

    #[test]
    fn what_worked_or_went_is_forgotten() {
        let mut retries = Retries::default();
        for name in ["a", "b", "c"] {
            retries.failed(key(name), now());
        }
        retries.worked(&key("a"));
        retries.keep(&HashSet::from([&key("b")]));
        assert_eq!(retries.0.into_keys().collect::<Vec<_>>(), [key("b")]);
    }
}
