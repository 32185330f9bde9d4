//! Waits that double.

use std::time::Duration;

/// The wait after that many failures in a row: `first`, then twice as long each time, at most `last`.
#[must_use]
pub fn doubled(first: Duration, last: Duration, failures: u32) -> Duration {
    let factor = 1_u32 << failures.saturating_sub(1).min(20);
    first.saturating_mul(factor).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_last() {
        let waits = |n| doubled(Duration::from_secs(1), Duration::from_secs(10), n).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(waits),
            [1, 1, 2, 4, 8, 10, 10]
        );
    }
}
