//! The one place of this crate that reads the clock.

use jiff::Timestamp;

#[allow(
    clippy::disallowed_methods,
    reason = "the edge: decisions take the time as a parameter"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
