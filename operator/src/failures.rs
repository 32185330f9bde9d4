//! What AWS or the API server refused a grant or an identity, and when to ask again.

use alter_crds::condition::reason;
use alter_issuer::Retry;
use alter_policy::spread::spread;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// One whose time is past for so long is of an object that went while it was tried: others are looked at in time.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(1);

/// A failure to issue a session or take it away, or to learn who an identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What was tried: another one is tried at once.
    pub tried: String,
    /// How often in a row.
    pub attempts: u32,
    /// Not before then.
    pub retry_at: Timestamp,
    /// A condition's reason.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Failure {
    /// Whether the API server failed a write, rather than AWS a call.
    pub(crate) fn is_of_a_write(&self) -> bool {
        [reason::SECRET_WRITE_FAILED, reason::PENDING].contains(&self.reason)
    }
}

/// The failures by the object's UID.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, Failure>>);

impl Failures {
    /// The failure of an object, if the same was tried.
    pub(crate) fn of(&self, uid: &str, tried: &str) -> Option<Failure> {
        let failure = self.lock().get(uid).cloned();
        failure.filter(|failure| failure.tried == tried)
    }

    /// Notes one, and gives it back.
    pub(crate) fn note(
        &self,
        uid: &str,
        tried: &str,
        (reason, message): (&'static str, String),
        retry: Retry,
        now: Timestamp,
    ) -> Failure {
        let attempts = self.of(uid, tried).map_or(0, |last| last.attempts) + 1;
        let failure = Failure {
            tried: tried.to_owned(),
            attempts,
            retry_at: now + retry.wait(attempts, spread(uid, &attempts.to_be_bytes())),
            reason,
            message,
        };
        let mut all = self.lock();
        if all.len() == all.capacity() {
            all.retain(|_, own| now.duration_since(own.retry_at) < FORGOTTEN);
        }
        all.insert(uid.to_owned(), failure.clone());
        failure
    }

    /// It worked, or the object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;
    use std::time::Duration;

    const BACKOFF: Retry = Retry::Backoff {
        first: Duration::from_secs(2),
        max: Duration::from_mins(1),
    };

    #[test]
    fn those_of_objects_that_went_while_they_were_tried_do_not_stay() {
        let failures = Failures::default();
        for minute in 0..10_000 {
            let at = now() + SignedDuration::from_mins(minute);
            failures.forget("g");
            let told = ("Throttled", "m".to_owned());
            failures.note(&format!("g-{minute}"), "a", told, BACKOFF, at);
        }
        let kept = failures.lock().len();
        // The table's size hangs on how the names fall: a few hundred, and not all that there were.
        assert!(kept < 1_000, "{kept}");
        assert!(failures.of("g-9999", "a").is_some());
    }

    #[test]
    fn attempts_count_while_the_same_is_tried() {
        let failures = Failures::default();
        let note = |tried| {
            failures
                .note("g", tried, ("Throttled", "m".to_owned()), BACKOFF, now())
                .attempts
        };
        assert_eq!((note("a"), note("a"), note("a")), (1, 2, 3));
        assert!(failures.of("g", "b").is_none(), "a change is tried at once");
        assert_eq!(note("b"), 1);
        failures.forget("g");
        assert!(failures.of("g", "b").is_none());
    }
}
