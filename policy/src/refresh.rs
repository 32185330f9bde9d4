//! When a session is renewed.
//!
//! A session in a pod must always have more life left than the SDKs' own refresh windows (boto3: 15
//! minutes) plus the kubelet's propagation of the Secret (up to 90 s).

use jiff::{SignedDuration, Timestamp};

/// Renewed with at least this much left, where the life is long enough.
pub const MIN_LEFT: SignedDuration = SignedDuration::from_mins(20);
/// Below this life, [`MIN_LEFT`] and the minimal interval cannot both hold.
pub const SHORT_LIFE: SignedDuration = SignedDuration::from_secs(1_500);
/// Renewals are spread over this part of the wait for them, towards earlier.
pub const JITTER: f64 = 0.1;

/// The least life of a session that is handed out as instance metadata.
pub const IMDS_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// The least that is left when such a session is renewed. botocore takes a session with less than 25 minutes left
/// for one that lives on, also past its end; the rest is what the kubelet may take to bring the next one.
pub const IMDS_LEFT: SignedDuration = SignedDuration::from_mins(28);

/// Whether sessions of this life, renewed with `asked` left, may be handed out as instance metadata.
#[must_use]
pub fn is_fit_for_imds(life: SignedDuration, asked: Option<SignedDuration>) -> bool {
    life >= IMDS_LIFE && asked.is_none_or(|asked| asked >= IMDS_LEFT)
}

/// How much life is left when a session is renewed.
///
/// `asked` is the grant's `refreshBefore`; without it, half of the life but at least 20 minutes. Never
/// more than the life less `min_interval`, so that a session is not renewed as soon as it is issued.
#[must_use]
pub fn refresh_before(
    life: SignedDuration,
    asked: Option<SignedDuration>,
    min_interval: SignedDuration,
) -> SignedDuration {
    asked
        .unwrap_or_else(|| MIN_LEFT.max(life / 2))
        .min(life.saturating_sub(min_interval))
        .max(SignedDuration::ZERO)
}

/// When to renew a session that was issued at `issued` and dies at `expiration`.
///
/// `spread`, from 0 to 1, moves the time towards earlier by at most a tenth of the wait, so that grants
/// that were made together are not renewed together.
#[must_use]
pub fn refresh_at(
    issued: Timestamp,
    expiration: Timestamp,
    refresh_before: SignedDuration,
    spread: f64,
) -> Timestamp {
    // Times at the ends of the calendar come from annotations that someone else wrote.
    let at = expiration
        .checked_sub(refresh_before)
        .unwrap_or(Timestamp::MIN);
    let wait = at.duration_since(issued).max(SignedDuration::ZERO);
    let jitter = wait.mul_f64(JITTER * spread.clamp(0.0, 1.0));
    at.checked_sub(jitter).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIN_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

    fn left(life: i64, asked: Option<i64>) -> i64 {
        refresh_before(
            SignedDuration::from_secs(life),
            asked.map(SignedDuration::from_secs),
            MIN_INTERVAL,
        )
        .as_secs()
    }

    #[test]
    fn half_of_the_life_but_twenty_minutes_at_least() {
        assert_eq!(left(43_200, None), 21_600);
        assert_eq!(left(3_600, None), 1_800);
        assert_eq!(left(1_800, None), 1_200);
    }

    #[test]
    fn never_sooner_than_five_minutes_after_issue() {
        assert_eq!(left(900, None), 600);
        assert_eq!(left(1_200, None), 900);
        assert_eq!(left(3_600, Some(3_500)), 3_300);
        assert_eq!(left(200, None), 0);
    }

    #[test]
    fn the_grant_may_ask_for_less() {
        assert_eq!(left(3_600, Some(600)), 600);
    }

    #[test]
    fn instance_metadata_asks_for_an_hour_and_for_early_renewal() {
        let fit = |life, asked: Option<i64>| {
            is_fit_for_imds(
                SignedDuration::from_secs(life),
                asked.map(SignedDuration::from_mins),
            )
        };
        assert!(fit(3_600, None) && fit(3_600, Some(28)) && fit(43_200, Some(60)));
        assert!(!fit(3_599, None) && !fit(3_600, Some(27)) && !fit(900, Some(28)));
        assert!(left(3_600, None) >= IMDS_LEFT.as_secs(), "without asking");
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_are_no_panic() {
        for (issued, expiration) in [
            (Timestamp::MIN, Timestamp::MAX),
            (Timestamp::MAX, Timestamp::MIN),
            (Timestamp::MIN, Timestamp::MIN),
        ] {
            let life = expiration.duration_since(issued);
            let before = refresh_before(life, None, MIN_INTERVAL);
            let _ = refresh_at(issued, expiration, before, 1.0);
        }
    }

    proptest! {
        #[test]
        fn jitter_goes_towards_earlier_alone(life in 900_i64..43_200, spread in 0.0..1.0_f64) {
            let issued = Timestamp::UNIX_EPOCH;
            let expiration = issued + SignedDuration::from_secs(life);
            let before = refresh_before(SignedDuration::from_secs(life), None, MIN_INTERVAL);
            let latest = expiration - before;
            let at = refresh_at(issued, expiration, before, spread);
            prop_assert!(at <= latest);
            prop_assert!(at > issued);
            prop_assert!(latest.duration_since(at) <= latest.duration_since(issued) / 10);
        }
    }
}
