//! How often one grant's session may be issued: whoever may change a grant or its Secret makes sessions due
//! at will, and pays with a budget that the identity's other grants need too.

use alter_policy::allowance::Allowance;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// By a grant's UID: when its allowance will be whole again. One that is whole has no entry.
#[derive(Debug)]
pub(crate) struct Allowances {
    each: Allowance,
    whole_at: Mutex<HashMap<String, Timestamp>>,
}

impl Allowances {
    /// `min_interval` is the least time between two renewals.
    pub(crate) fn new(min_interval: SignedDuration) -> Self {
        Self {
            each: Allowance::of_sessions(min_interval),
            whole_at: Mutex::default(),
        }
    }

    /// When the next session may be issued, if that is not now.
    pub(crate) fn next(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let whole_at = self.lock().get(uid).copied()?;
        self.each.next(whole_at, now)
    }

    /// A session is asked for.
    pub(crate) fn take(&self, uid: &str, now: Timestamp) {
        let mut all = self.lock();
        if all.len() == all.capacity() {
            all.retain(|_, whole_at| now < *whole_at);
        }
        let whole_at = all.get(uid).copied().unwrap_or(now);
        all.insert(uid.to_owned(), self.each.take(whole_at, now));
    }

    /// The grant is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Timestamp>> {
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    #[test]
    fn each_grant_has_its_own() {
        let allowances = Allowances::new(MINUTE * 5);
        for _ in 0..10 {
            assert_eq!(allowances.next("a", now()), None);
            allowances.take("a", now());
        }
        assert_eq!(allowances.next("a", now()), Some(now() + MINUTE));
        assert_eq!(allowances.next("b", now()), None);
    }

    #[test]
    fn what_is_whole_again_or_gone_is_not_kept() {
        let allowances = Allowances::new(MINUTE * 5);
        for minute in 0..10_000 {
            allowances.take(&format!("g-{minute}"), now() + MINUTE * minute);
        }
        assert!(allowances.lock().len() < 100, "{}", allowances.lock().len());
        allowances.take("a", now());
        allowances.forget("a");
        assert!(!allowances.lock().contains_key("a"));
    }
}
