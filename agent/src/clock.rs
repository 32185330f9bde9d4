//! The one place that reads the wall clock, by which AWS's expirations go.

use jiff::Timestamp;

#[allow(
    clippy::disallowed_methods,
    reason = "the edge that hands the time to the decisions"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
