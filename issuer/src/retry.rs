//! How long it is until a failed call is made again.

use crate::Retry;
use alter_policy::backoff::doubled;
use jiff::SignedDuration;

/// The part of a wait by which retries are spread, so that grants that failed together do not ask together.
const SPREAD: f64 = 0.25;

impl Retry {
    /// How long to wait after that many failures in a row. `spread`, from 0 to 1, lengthens it.
    #[must_use]
    pub fn wait(self, failures: u32, spread: f64) -> SignedDuration {
        let wait = match self {
            Self::Backoff { first, max } => doubled(first, max, failures),
            Self::Later(after) => after,
        };
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_hours(1));
        wait.mul_f64(1.0 + SPREAD * spread.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn milliseconds(retry: Retry, failures: u32, spread: f64) -> i128 {
        retry.wait(failures, spread).as_millis()
    }

    #[test]
    fn waits_double_up_to_the_limit() {
        let retry = Retry::Backoff {
            first: Duration::from_secs(2),
            max: Duration::from_mins(1),
        };
        let waits: Vec<_> = (1..=8).map(|n| milliseconds(retry, n, 0.0)).collect();
        assert_eq!(
            waits,
            [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]
        );
        assert_eq!(milliseconds(retry, u32::MAX, 0.0), 60_000);
        assert_eq!(milliseconds(retry, 1, 1.0), 2_500);
        let later = Retry::Later(Duration::from_mins(5));
        assert_eq!(milliseconds(later, 9, 0.0), 300_000);
    }
}
