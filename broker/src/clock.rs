//! The one place where the broker reads the wall clock: decisions take the time as a parameter.

use jiff::Timestamp;
use std::time::Duration;

/// The time.
#[allow(clippy::disallowed_methods, reason = "the edge that reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// How long it is until then; nothing where that is past.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
