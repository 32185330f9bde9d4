//! Which sessions a time drops, before which all are revoked.

use jiff::{SignedDuration, Timestamp};

/// AWS tells sessions apart by the second in which they were issued: one of the second after is surely from after.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// Whether a session of that issue is to be dropped at `now`. A time ahead drops none before it comes.
#[must_use]
pub fn drops(cut: Timestamp, issued_at: Timestamp, now: Timestamp) -> bool {
    cut <= now && issued_at < earliest(cut)
}

/// From when on sessions are from after the cut.
#[must_use]
pub fn earliest(cut: Timestamp) -> Timestamp {
    cut.checked_add(APART).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_the_second_after_is_kept_and_a_time_ahead_drops_none() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let now = at(100);
        assert!(drops(at(0), at(-1), now) && drops(at(0), at(0), now));
        assert!(!drops(at(0), at(1), now));
        assert!(!drops(at(101), at(0), now));
        assert!(!drops(Timestamp::MAX, at(0), now));
    }
}
