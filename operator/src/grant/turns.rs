//! Who asks AWS now: one identity whose STS hangs leaves the grants of others room.

use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// An identity asks for at most so many sessions for each slot that it leaves free: alone for three quarters
/// of them, and beside others for less, so that slots stay free for one that comes later.
const SHARE: usize = 3;
/// A grant that finds no room comes again after this.
const SOONEST: SignedDuration = SignedDuration::from_millis(250);
/// Grants that find no room come again so far apart, so that ten thousand come 500 times a second.
const APART: SignedDuration = SignedDuration::from_millis(2);

/// The turns of all identities.
#[derive(Debug)]
pub(crate) struct Turns {
    slots: usize,
    lanes: Mutex<HashMap<String, Lane>>,
}

/// An identity's place; there is none while nobody asks.
#[derive(Debug, Default)]
struct Lane {
    asking: usize,
    /// When the last one that found no room comes again.
    last: Option<Timestamp>,
}

/// The right to ask for one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    identity: String,
}

impl Turns {
    /// `slots` is how many grants are looked at side by side.
    pub(crate) fn new(slots: u16) -> Arc<Self> {
        Arc::new(Self {
            slots: slots.into(),
            lanes: Mutex::default(),
        })
    }

    /// A turn, or when to ask for one again.
    pub(crate) fn take(
        self: &Arc<Self>,
        identity: &str,
        now: Timestamp,
    ) -> Result<Turn, Timestamp> {
        let mut lanes = self.lock();
        let all = lanes.values().map(|lane| lane.asking).sum();
        let lane = lanes.entry(identity.to_owned()).or_default();
        if !has_room(lane.asking, all, self.slots) {
            let soonest = now + SOONEST;
            // One far ahead is of a clock that was set back.
            let last = lane
                .last
                .filter(|at| *at < now + SignedDuration::from_mins(1));
            let at = last.map_or(soonest, |last| soonest.max(last + APART));
            lane.last = Some(at);
            return Err(at);
        }
        lane.asking += 1;
        Ok(Turn {
            turns: self.clone(),
            identity: identity.to_owned(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lanes = self.turns.lock();
        if let Some(lane) = lanes.get_mut(&self.identity) {
            lane.asking -= 1;
            if lane.asking == 0 {
                lanes.remove(&self.identity);
            }
        }
    }
}

/// Whether one more may ask where `own` of the identity do, and `all` together. One always may: it is in a
/// slot already.
fn has_room(own: usize, all: usize, slots: usize) -> bool {
    own == 0 || own < SHARE * slots.saturating_sub(all + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    fn fill(turns: &Arc<Turns>, identity: &str) -> Vec<Turn> {
        std::iter::from_fn(|| turns.take(identity, now()).ok())
            .take(64)
            .collect()
    }

    #[test]
    fn one_identity_has_most_slots_and_others_still_find_some() {
        let turns = Turns::new(32);
        let first = fill(&turns, "a");
        assert_eq!(first.len(), 24);
        let second = fill(&turns, "b");
        assert_eq!(second.len(), 6);
        assert!(turns.take("c", now()).is_ok());
        drop(first);
        assert!(fill(&turns, "b").len() + second.len() > 18);
    }

    #[test]
    fn slow_identities_together_leave_a_slot() {
        let turns = Turns::new(32);
        let mut held = Vec::new();
        for _ in 0..32 {
            for identity in ["a", "b", "c", "d"] {
                held.extend(turns.take(identity, now()));
            }
        }
        assert!((26..32).contains(&held.len()), "{}", held.len());
    }

    #[test]
    fn one_slot_is_enough() {
        let turns = Turns::new(1);
        let first = turns.take("a", now());
        assert!(first.is_ok() && turns.take("a", now()).is_err());
        drop(first);
        assert!(turns.take("a", now()).is_ok());
    }

    #[test]
    fn those_who_wait_come_again_one_after_the_other() {
        let turns = Turns::new(4);
        let held = fill(&turns, "a");
        let first = now() + SOONEST;
        assert_eq!(fill(&turns, "a").len(), 0);
        for n in 1..10 {
            assert_eq!(turns.take("a", now()).unwrap_err(), first + APART * (n + 1));
        }
        let day = SignedDuration::from_hours(24);
        assert_eq!(turns.take("a", now() - day).unwrap_err(), first - day);
        drop(held);
        assert!(turns.lock().is_empty(), "nothing is kept of an identity");
    }
}
