//! The one place where the operator's loops read the wall clock: decisions take the time as a parameter.

use jiff::Timestamp;

/// The time.
#[allow(clippy::disallowed_methods, reason = "the edge that reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
