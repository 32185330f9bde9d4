//! The one place where the operator's loops read the wall clock: decisions take the time as a parameter.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The time.
#[allow(clippy::disallowed_methods, reason = "the edge that reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A time as a status holds it. Kubernetes' `Time` has no fraction: with one, what is read back would differ from
/// what was written.
pub(crate) fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
