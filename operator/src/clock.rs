//! The one place where the operator's loops read the wall clock: decisions take the time as a parameter.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

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

/// How long it is until then; nothing where that is past.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, now};

    #[test]
    fn what_is_past_is_due() {
        assert_eq!(until(at("04:00:07"), now()), Duration::from_secs(7));
        assert_eq!(until(at("03:00:00"), now()), Duration::ZERO);
        let ends = [Timestamp::MIN, Timestamp::MAX];
        assert_eq!(until(ends[0], ends[1]), Duration::ZERO);
        assert!(until(ends[1], ends[0]) > Duration::from_hours(24));
    }

    #[test]
    fn a_time_in_a_status_has_no_fraction() {
        assert_eq!(whole_seconds(at("04:00:00.7")), Time(now()));
    }
}
