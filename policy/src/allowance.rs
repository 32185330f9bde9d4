//! How often something may be had: so many at once, and then one in a time. One time holds all that is to be known:
//! when the allowance will be whole again. One that is whole needs no memory.

use crate::refresh::JITTER;
use jiff::{SignedDuration, Timestamp};
use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// So many sessions at once: more than a person brings about who tries out a spec.
pub const SESSIONS_AT_ONCE: i32 = 10;
/// Then one in this time, or in the least time between two renewals, where that is shorter.
const ONE_SESSION_EACH: SignedDuration = SignedDuration::from_mins(1);
/// The part of the wait for a renewal after which it comes at the earliest.
const EARLIEST: f64 = 1.0 - JITTER;

/// How much one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// So many at once; at least one.
    pub at_once: i32,
    /// Then one in this time.
    pub one_each: SignedDuration,
}

impl Allowance {
    /// Of sessions. `min_interval` is the least time between two renewals, which never use an allowance up by
    /// themselves.
    #[must_use]
    pub fn of_sessions(min_interval: SignedDuration) -> Self {
        Self {
            at_once: SESSIONS_AT_ONCE,
            one_each: min_interval
                .clamp(SignedDuration::ZERO, ONE_SESSION_EACH * 2)
                .mul_f64(EARLIEST)
                .min(ONE_SESSION_EACH),
        }
    }

    /// When the next may be had, if that is not now.
    #[must_use]
    pub fn next(&self, whole_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let used = self.one_each * (self.at_once - 1);
        let next = self.within_reach(whole_at, now).checked_sub(used).ok()?;
        (now < next).then_some(next)
    }

    /// When an allowance will be whole again of which one is had now.
    #[must_use]
    pub fn take(&self, whole_at: Timestamp, now: Timestamp) -> Timestamp {
        let whole_at = self.within_reach(whole_at, now).max(now);
        whole_at
            .checked_add(self.one_each)
            .unwrap_or(Timestamp::MAX)
    }

    /// A time beyond all that the allowance gives is of a clock that was set back since: it says nothing.
    fn within_reach(&self, whole_at: Timestamp, now: Timestamp) -> Timestamp {
        let latest = now.saturating_add(self.one_each * self.at_once);
        if latest.is_ok_and(|latest| latest < whole_at) {
            return now;
        }
        whole_at
    }
}

/// Many of the same allowance, by whose they are.
#[derive(Clone, Debug)]
pub struct Allowances<K> {
    each: Allowance,
    whole_at: HashMap<K, Timestamp>,
}

impl<K: Eq + Hash> Allowances<K> {
    /// All whole.
    #[must_use]
    pub fn new(each: Allowance) -> Self {
        Self {
            each,
            whole_at: HashMap::new(),
        }
    }

    /// When the next may be had, if that is not now.
    #[must_use]
    pub fn next<Q>(&self, whose: &Q, now: Timestamp) -> Option<Timestamp>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let whole_at = self.whole_at.get(whose).copied()?;
        self.each.next(whole_at, now)
    }

    /// One is had.
    pub fn take(&mut self, whose: K, now: Timestamp) {
        let all = &mut self.whole_at;
        if all.len() == all.capacity() {
            all.retain(|_, whole_at| now < *whole_at);
        }
        let whole_at = all.entry(whose).or_insert(now);
        *whole_at = self.each.take(*whole_at, now);
    }

    /// Nobody asks under that name any more.
    pub fn forget<Q>(&mut self, whose: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.whole_at.remove(whose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);
    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn now() -> Timestamp {
        "2026-11-22T04:00:00Z".parse().unwrap()
    }

    /// How many of those who ask each second are let through.
    fn let_through(
        allowance: Allowance,
        whole_at: &mut Timestamp,
        from: Timestamp,
        seconds: i32,
    ) -> usize {
        let times = (0..seconds).map(|second| from + SECOND * second);
        times
            .filter(|at| {
                let free = allowance.next(*whole_at, *at).is_none();
                if free {
                    *whole_at = allowance.take(*whole_at, *at);
                }
                free
            })
            .count()
    }

    #[test]
    fn a_burst_then_one_a_minute_and_whole_again_after_a_while() {
        let allowance = Allowance::of_sessions(MINUTE * 5);
        let mut whole_at = Timestamp::MIN;
        assert_eq!(let_through(allowance, &mut whole_at, now(), 10), 10);
        let next = allowance.next(whole_at, now() + SECOND * 10);
        assert_eq!(next, Some(now() + MINUTE), "the same whenever asked");
        let minute = now() + MINUTE;
        assert_eq!(let_through(allowance, &mut whole_at, minute, 600), 10);
        let later = now() + MINUTE * 30;
        assert_eq!(let_through(allowance, &mut whole_at, later, 10), 10);
    }

    #[test]
    fn renewals_alone_never_use_it_up_however_short_the_interval() {
        for interval in [SECOND, MINUTE * 5, SignedDuration::MAX] {
            let allowance = Allowance::of_sessions(interval);
            let soonest = interval.min(MINUTE * 15).mul_f64(EARLIEST);
            let (mut at, mut whole_at) = (now(), Timestamp::MIN);
            for _ in 0..100 {
                assert_eq!(allowance.next(whole_at, at), None, "{interval}");
                whole_at = allowance.take(whole_at, at);
                at += soonest;
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nobody_up() {
        let allowance = Allowance::of_sessions(MINUTE * 5);
        let ahead = now() + SignedDuration::from_hours(24);
        let mut whole_at = allowance.take(ahead, ahead);
        assert_eq!(let_through(allowance, &mut whole_at, now(), 600), 19);
    }

    #[test]
    fn the_ends_of_the_calendar_are_times_like_others() {
        let allowance = Allowance::of_sessions(MINUTE * 5);
        for now in [Timestamp::MIN, Timestamp::MAX] {
            let whole_at = allowance.take(Timestamp::MAX, now);
            assert!(allowance.next(whole_at, now).is_none_or(|at| now <= at));
        }
    }

    #[test]
    fn each_has_its_own_and_what_is_whole_again_or_gone_is_not_kept() {
        let mut all = Allowances::new(Allowance::of_sessions(MINUTE * 5));
        for _ in 0..10 {
            assert_eq!(all.next("a", now()), None);
            all.take("a".to_owned(), now());
        }
        assert_eq!(all.next("a", now()), Some(now() + MINUTE));
        assert_eq!(all.next("b", now()), None);
        all.forget("a");
        assert_eq!(all.next("a", now()), None);
        for minute in 0..10_000 {
            all.take(format!("g-{minute}"), now() + MINUTE * minute);
        }
        assert!(all.whole_at.len() < 100, "{}", all.whole_at.len());
    }
}
