//! Waits that double.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often in a row an object's look came to nothing, by UID.
#[derive(Debug, Default)]
pub(crate) struct Stumbles(Mutex<HashMap<String, u32>>);

impl Stumbles {
    /// Once more; gives how often.
    pub(crate) fn note(&self, uid: &str) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(uid.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// It worked, or the object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(uid);
    }
}

/// The wait after that many failures in a row: `first`, then twice as long each time, at most `last`.
pub(crate) fn doubled(first: Duration, last: Duration, failures: u32) -> Duration {
    let factor = 1_u32 << failures.saturating_sub(1).min(20);
    first.saturating_mul(factor).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stumbles_count_until_they_are_forgotten() {
        let stumbles = Stumbles::default();
        assert_eq!(
            (stumbles.note("a"), stumbles.note("a"), stumbles.note("b")),
            (1, 2, 1)
        );
        stumbles.forget("a");
        assert_eq!(stumbles.note("a"), 1);
    }

    #[test]
    fn doubles_up_to_the_last() {
        let waits = |n| doubled(Duration::from_secs(1), Duration::from_secs(10), n).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(waits),
            [1, 1, 2, 4, 8, 10, 10]
        );
    }
}
