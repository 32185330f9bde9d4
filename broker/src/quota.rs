//! How often one pod may ask: whoever has its token could else keep all others from being answered.

use alter_policy::allowance::Allowance;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// So many questions at once: an agent asks again after each news, of each of at most 64 grants. Then fewer, where
/// an agent that learns nothing asks once a minute.
const QUESTIONS: Allowance = Allowance {
    at_once: 100,
    one_each: SignedDuration::from_secs(2),
};
/// So many may be held at a time: one of the agent, and those that an agent before it has left behind.
const HELD: u32 = 4;

/// All pods that asked of late, by UID.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<String, Quota>>);

#[derive(Debug)]
struct Quota {
    /// When it will be whole again.
    whole_at: Timestamp,
    held: u32,
}

/// One question, until it is dropped.
#[derive(Debug)]
pub(crate) struct Visit<'q> {
    quotas: &'q Quotas,
    uid: String,
}

impl Quotas {
    /// Lets a pod's question in; none where it has asked too often.
    pub(crate) fn enter(&self, uid: &str, now: Timestamp) -> Option<Visit<'_>> {
        let mut all = self.lock();
        if all.len() == all.capacity() {
            all.retain(|_, own| own.held > 0 || now < own.whole_at);
        }
        let own = all.entry(uid.to_owned()).or_insert(Quota {
            whole_at: now,
            held: 0,
        });
        if own.held >= HELD || QUESTIONS.next(own.whole_at, now).is_some() {
            return None;
        }
        own.whole_at = QUESTIONS.take(own.whole_at, now);
        own.held += 1;
        Some(Visit {
            quotas: self,
            uid: uid.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Quota>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(own) = self.quotas.lock().get_mut(&self.uid) {
            own.held = own.held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_burst_then_one_in_two_seconds_and_another_pod_has_its_own() {
        let quotas = Quotas::default();
        let asked = |uid, second| quotas.enter(uid, at(second)).is_some();
        assert_eq!((0..200).filter(|_| asked("a", 0)).count(), 100);
        assert!(!asked("a", 1) && asked("a", 2) && !asked("a", 3));
        assert!(asked("b", 0));
        assert_eq!((0..200).filter(|_| asked("a", 600)).count(), 100);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_pod_out() {
        let quotas = Quotas::default();
        assert!(quotas.enter("a", at(24 * 60 * 60)).is_some());
        assert!(quotas.enter("a", at(0)).is_some());
    }

    #[test]
    fn few_questions_are_held_for_one_pod() {
        let quotas = Quotas::default();
        let mut held: Vec<_> = (0..4).map(|_| quotas.enter("a", at(0)).unwrap()).collect();
        assert!(quotas.enter("a", at(0)).is_none());
        held.pop();
        assert!(quotas.enter("a", at(0)).is_some());
    }

    #[test]
    fn pods_that_ask_no_more_leave_nothing() {
        let quotas = Quotas::default();
        for second in 0..10_000 {
            let _ = quotas.enter(&second.to_string(), at(second));
        }
        assert!(quotas.lock().len() < 200);
    }
}
