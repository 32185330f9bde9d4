//! How often one grant's session may be issued: whoever may change a grant or its Secret makes sessions due
//! at will, and pays with a budget that the identity's other grants need too.

use alter_policy::refresh::JITTER;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// So many at once: more than a person brings about who tries out a spec.
pub(crate) const AT_ONCE: i32 = 10;
/// Then one in this time, or in the least time between two renewals, where that is shorter.
const ONE_EACH: SignedDuration = SignedDuration::from_mins(1);
/// The part of the wait for a renewal after which it comes at the earliest.
const EARLIEST: f64 = 1.0 - JITTER;

/// By a grant's UID: when its allowance will be whole again. One that is whole has no entry.
#[derive(Debug)]
pub(crate) struct Allowances {
    one_each: SignedDuration,
    whole_at: Mutex<HashMap<String, Timestamp>>,
}

impl Allowances {
    /// `min_interval` is the least time between two renewals, which never use an allowance up by themselves.
    pub(crate) fn new(min_interval: SignedDuration) -> Self {
        Self {
            one_each: min_interval
                .clamp(SignedDuration::ZERO, ONE_EACH * 2)
                .mul_f64(EARLIEST)
                .min(ONE_EACH),
            whole_at: Mutex::default(),
        }
    }

    /// When the next session may be issued, if that is not now.
    pub(crate) fn next(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let whole_at = self.lock().get(uid).copied()?;
        let next = self.within_reach(whole_at, now) - self.one_each * (AT_ONCE - 1);
        (now < next).then_some(next)
    }

    /// A session is asked for.
    pub(crate) fn take(&self, uid: &str, now: Timestamp) {
        let mut all = self.lock();
        if all.len() == all.capacity() {
            all.retain(|_, whole_at| now < *whole_at);
        }
        let whole_at = all.get(uid).map_or(now, |at| self.within_reach(*at, now));
        let taken = whole_at.max(now).checked_add(self.one_each);
        all.insert(uid.to_owned(), taken.unwrap_or(Timestamp::MAX));
    }

    /// The grant is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// A clock that was set back makes nobody wait longer than for the whole allowance.
    fn within_reach(&self, whole_at: Timestamp, now: Timestamp) -> Timestamp {
        let latest = now.checked_add(self.one_each * AT_ONCE);
        whole_at.min(latest.unwrap_or(Timestamp::MAX))
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

    /// How many of those who ask each second are let through.
    fn let_through(allowances: &Allowances, uid: &str, from: Timestamp, seconds: i64) -> usize {
        let times = (0..seconds).map(|second| from + SignedDuration::from_secs(second));
        times
            .filter(|at| {
                let free = allowances.next(uid, *at).is_none();
                if free {
                    allowances.take(uid, *at);
                }
                free
            })
            .count()
    }

    #[test]
    fn a_burst_then_one_a_minute_and_another_grant_has_its_own() {
        let allowances = Allowances::new(SignedDuration::from_mins(5));
        assert_eq!(let_through(&allowances, "a", now(), 10), 10);
        let next = allowances.next("a", now() + SignedDuration::from_secs(10));
        assert_eq!(next, Some(now() + MINUTE), "the same whenever asked");
        assert_eq!(let_through(&allowances, "a", now() + MINUTE, 600), 10);
        assert_eq!(allowances.next("b", now()), None);
        let later = now() + MINUTE * 30;
        assert_eq!(let_through(&allowances, "a", later, 10), 10, "whole again");
    }

    #[test]
    fn renewals_alone_never_use_it_up_however_short_the_interval() {
        for interval in [
            SignedDuration::from_secs(1),
            SignedDuration::from_mins(5),
            SignedDuration::MAX,
        ] {
            let allowances = Allowances::new(interval);
            let soonest = interval.min(MINUTE * 15).mul_f64(EARLIEST);
            let mut at = now();
            for _ in 0..100 {
                assert_eq!(allowances.next("a", at), None, "{interval}");
                allowances.take("a", at);
                at += soonest;
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nobody_up_for_long() {
        let allowances = Allowances::new(SignedDuration::from_mins(5));
        allowances.take("a", now() + SignedDuration::from_hours(24));
        let next = allowances.next("a", now()).unwrap();
        assert!(next <= now() + MINUTE, "{next}");
    }

    #[test]
    fn what_is_whole_again_or_gone_is_not_kept() {
        let allowances = Allowances::new(SignedDuration::from_mins(5));
        for minute in 0..10_000 {
            allowances.take(&format!("g-{minute}"), now() + MINUTE * minute);
        }
        assert!(allowances.lock().len() < 100, "{}", allowances.lock().len());
        allowances.take("a", now());
        allowances.forget("a");
        assert!(!allowances.lock().contains_key("a"));
    }
}
