//! How many events are published: where ten thousand grants become ready at once, telling of each would cost
//! the API server as much as their sessions do, and none of it is news.

use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Events that may come at once.
const BURST: f64 = 200.0;
/// Events a second after that.
const RATE: f64 = 10.0;
/// The part of both that one namespace has: whoever edits a grant back and forth leaves others theirs.
const OF_ONE: f64 = 0.5;

/// Buckets of tokens, full at first: one of all, and one of each namespace.
#[derive(Debug)]
pub(crate) struct EventBudget(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    all: Level,
    /// Those that are full have no entry, but for a while.
    own: HashMap<String, Level>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl Level {
    const fn full(part: f64) -> Self {
        Self {
            tokens: BURST * part,
            at: Timestamp::MIN,
        }
    }

    fn filled(self, part: f64, now: Timestamp) -> Self {
        let gained = now.duration_since(self.at).as_secs_f64().max(0.0) * RATE * part;
        Self {
            tokens: (self.tokens + gained).min(BURST * part),
            at: now,
        }
    }

    /// Half is kept for warnings, which someone must act on.
    fn has_one(self, part: f64, warning: bool) -> bool {
        let kept = if warning { 0.0 } else { BURST * part / 2.0 };
        self.tokens >= kept + 1.0
    }
}

impl EventBudget {
    /// Full.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Buckets {
            all: Level::full(1.0),
            own: HashMap::new(),
        }))
    }

    /// Whether one may be published in the namespace; if so, it is counted.
    pub(crate) fn take(&self, namespace: &str, warning: bool, now: Timestamp) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { all, own } = &mut *buckets;
        *all = all.filled(1.0, now);
        if own.len() == own.capacity() {
            own.retain(|_, level| level.filled(OF_ONE, now).tokens < BURST * OF_ONE);
        }
        let level = own.get(namespace).copied();
        let mut level = level.unwrap_or(Level::full(OF_ONE)).filled(OF_ONE, now);
        let may = all.has_one(1.0, warning) && level.has_one(OF_ONE, warning);
        if may {
            all.tokens -= 1.0;
            level.tokens -= 1.0;
        }
        own.insert(namespace.to_owned(), level);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;
    use jiff::SignedDuration;

    fn taken(budget: &EventBudget, namespace: &str, warning: bool, now: Timestamp) -> usize {
        (0..1_000)
            .take_while(|_| budget.take(namespace, warning, now))
            .count()
    }

    #[test]
    fn good_news_leaves_room_for_warnings() {
        let budget = EventBudget::new();
        let good: usize = (0..9)
            .map(|n| taken(&budget, &n.to_string(), false, now()))
            .sum();
        assert_eq!(good, 100);
        let bad: usize = (0..9)
            .map(|n| taken(&budget, &n.to_string(), true, now()))
            .sum();
        assert_eq!(bad, 100);
        assert!(!budget.take("other", true, now()));
    }

    #[test]
    fn one_namespace_leaves_others_theirs() {
        let budget = EventBudget::new();
        assert_eq!(taken(&budget, "noisy", true, now()), 100);
        for second in 1..100 {
            let at = now() + SignedDuration::from_secs(second);
            assert_eq!(taken(&budget, "noisy", true, at), 5);
            assert!(budget.take("quiet", false, at));
        }
    }

    #[test]
    fn it_fills_with_the_time_and_goes_on_after_a_clock_is_set_back() {
        let budget = EventBudget::new();
        assert_eq!(taken(&budget, "a", true, now()), 100);
        let later = now() + SignedDuration::from_secs(2);
        assert_eq!(taken(&budget, "a", true, later), 10);
        let back = now() - SignedDuration::from_hours(1);
        assert!(!budget.take("a", true, back));
        let after = back + SignedDuration::from_secs(2);
        assert_eq!(taken(&budget, "a", true, after), 10);
    }

    #[test]
    fn namespaces_that_are_quiet_again_are_not_kept() {
        let budget = EventBudget::new();
        for second in 0..10_000 {
            let at = now() + SignedDuration::from_secs(second);
            assert!(budget.take(&second.to_string(), true, at));
        }
        assert!(budget.0.lock().unwrap().own.len() < 100);
    }
}
