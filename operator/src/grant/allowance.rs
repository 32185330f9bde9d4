//! How often one grant's session may be issued: whoever may change a grant or its Secret makes sessions due
//! at will, and pays with a budget that the identity's other grants need too.

use alter_policy::allowance::{self, Allowance};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By a grant's UID.
#[derive(Debug)]
pub(crate) struct Allowances(Mutex<allowance::Allowances<String>>);

impl Allowances {
    /// `min_interval` is the least time between two renewals.
    pub(crate) fn new(min_interval: SignedDuration) -> Self {
        let each = Allowance::of_sessions(min_interval);
        Self(Mutex::new(allowance::Allowances::new(each)))
    }

    /// When the next session may be issued, if that is not now.
    pub(crate) fn next(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        self.lock().next(uid, now)
    }

    /// A session is asked for.
    pub(crate) fn take(&self, uid: &str, now: Timestamp) {
        self.lock().take(uid.to_owned(), now);
    }

    /// The grant is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().forget(uid);
    }

    fn lock(&self) -> MutexGuard<'_, allowance::Allowances<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
