//! How long a session of the identity's own role is worked with. Pure.

use jiff::{SignedDuration, Timestamp};

/// A session with less left is not worked with: a call that begins with it must end with it.
const LEAST: SignedDuration = SignedDuration::from_secs(60);
/// After a failure to enter the role anew, while the session is still good.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// When a session is to be followed by another, and how long it is good meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    renew_at: Timestamp,
    ends: Timestamp,
}

impl Term {
    /// Of a session that was just given: renewed with a quarter of its life left.
    pub(crate) fn new(now: Timestamp, expiration: Timestamp) -> Self {
        let life = expiration.duration_since(now).max(SignedDuration::ZERO);
        Self {
            renew_at: expiration
                .checked_sub(life / 4)
                .unwrap_or(Timestamp::MIN)
                .min(expiration),
            ends: expiration.checked_sub(LEAST).unwrap_or(Timestamp::MIN),
        }
    }

    /// Whether it is time for another session.
    pub(crate) fn is_due(self, now: Timestamp) -> bool {
        self.renew_at <= now || self.ends <= now
    }

    /// The term after a failure to get another; nothing where the session is not good any more.
    pub(crate) fn extended(self, now: Timestamp) -> Option<Self> {
        let renew_at = now.checked_add(AGAIN).unwrap_or(Timestamp::MAX);
        (now < self.ends).then_some(Self { renew_at, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-22T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_session_is_renewed_with_a_quarter_left() {
        let term = Term::new(at("04:00:00"), at("05:00:00"));
        assert!(!term.is_due(at("04:44:59")));
        assert!(term.is_due(at("04:45:00")));
    }

    #[test]
    fn a_failure_puts_it_off_while_the_session_is_good() {
        let term = Term::new(at("04:00:00"), at("05:00:00"));
        let put_off = term.extended(at("04:45:00")).unwrap();
        assert!(!put_off.is_due(at("04:45:29")) && put_off.is_due(at("04:45:30")));
        let last = term.extended(at("04:58:59")).unwrap();
        assert!(last.is_due(at("04:59:00")), "it is about to expire");
        assert_eq!(term.extended(at("04:59:00")), None);
    }

    #[test]
    fn one_that_comes_too_late_or_from_a_wrong_clock_is_of_no_use() {
        assert!(Term::new(at("04:00:00"), at("03:00:00")).is_due(at("04:00:00")));
        assert!(Term::new(at("04:00:00"), at("04:00:30")).is_due(at("04:00:00")));
        assert!(Term::new(Timestamp::MAX, Timestamp::MIN).is_due(at("04:00:00")));
        let far = Term::new(Timestamp::MIN, Timestamp::MAX);
        assert!(!far.is_due(at("04:00:00")) && far.extended(Timestamp::MAX).is_none());
    }
}
