//! Whether a grant that no pod uses goes on having sessions. Pure.

use jiff::{SignedDuration, Timestamp};

/// What is decided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// After how long without use it pauses; never where absent.
    pub after: Option<SignedDuration>,
    /// Whether pods use it; none while that is not known.
    pub in_use: Option<bool>,
    /// Since when none does, as it was told.
    pub unused_since: Option<Timestamp>,
    /// Whether it was told to be paused.
    pub was_paused: bool,
    /// The time.
    pub now: Timestamp,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Since when no pod uses it, to be told.
    pub unused_since: Option<Timestamp>,
    /// From when on it pauses, unless a pod comes.
    pub from: Option<Timestamp>,
}

impl Pause {
    /// It is used, or never pauses.
    pub(crate) const NONE: Self = Self {
        unused_since: None,
        from: None,
    };

    /// Since when no pod has used it, where it is paused.
    pub(crate) fn since(self, now: Timestamp) -> Option<Timestamp> {
        self.from.filter(|from| *from <= now).and(self.unused_since)
    }

    /// When it will pause, if that is to come.
    pub(crate) fn is_to_come(self, now: Timestamp) -> Option<Timestamp> {
        self.from.filter(|from| now < *from)
    }
}

/// Decides. While it is not known who uses it, nothing changes: after a restart a grant neither pauses nor wakes
/// before the pods have been listed.
pub(crate) fn decide(asked: &Asked) -> Pause {
    let Some(after) = asked.after else {
        return Pause::NONE;
    };
    // One ahead is of a clock that was set back.
    let told = asked.unused_since.filter(|since| *since <= asked.now);
    match asked.in_use {
        Some(true) => Pause::NONE,
        Some(false) => {
            let since = told.unwrap_or(asked.now);
            Pause {
                unused_since: Some(since),
                from: since.checked_add(after).ok(),
            }
        }
        None => Pause {
            unused_since: told,
            from: told.filter(|_| asked.was_paused),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{any_time, at, now};
    use proptest::prelude::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn unused(since: Option<&str>) -> Asked {
        Asked {
            after: Some(HOUR),
            in_use: Some(false),
            unused_since: since.map(at),
            was_paused: false,
            now: now(),
        }
    }

    #[test]
    fn it_pauses_so_long_after_the_last_pod_went() {
        let first = decide(&unused(None));
        assert_eq!(first.unused_since, Some(now()));
        assert_eq!(first.since(now()), None);
        assert_eq!(first.is_to_come(now()), Some(at("05:00:00")));
        let later = decide(&unused(Some("03:00:01")));
        assert_eq!(
            (later.since(now()), later.is_to_come(now())),
            (None, Some(at("04:00:01")))
        );
        let paused = decide(&unused(Some("03:00:00")));
        assert_eq!(paused.since(now()), Some(at("03:00:00")));
        assert_eq!(paused.is_to_come(now()), None);
    }

    #[test]
    fn a_pod_wakes_it_and_begins_the_count_anew() {
        let used = Asked {
            in_use: Some(true),
            was_paused: true,
            ..unused(Some("01:00:00"))
        };
        assert_eq!(decide(&used), Pause::NONE);
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        let unknown = Asked {
            in_use: None,
            ..unused(Some("01:00:00"))
        };
        let awake = decide(&unknown);
        assert_eq!(
            (awake.unused_since, awake.from),
            (Some(at("01:00:00")), None)
        );
        let paused = Asked {
            was_paused: true,
            ..unknown
        };
        assert_eq!(decide(&paused).since(now()), Some(at("01:00:00")));
        let never_told = Asked {
            unused_since: None,
            ..paused
        };
        assert_eq!(decide(&never_told), Pause::NONE);
    }

    #[test]
    fn without_the_field_nothing_pauses() {
        let never = Asked {
            after: None,
            was_paused: true,
            ..unused(Some("01:00:00"))
        };
        assert_eq!(decide(&never), Pause::NONE);
    }

    proptest! {
        #[test]
        fn nothing_pauses_before_its_time(
            since in proptest::option::of(any_time()),
            now in any_time(),
            was_paused in any::<bool>(),
            seconds in 600_i64..i64::MAX,
        ) {
            let after = SignedDuration::from_secs(seconds);
            let asked = Asked { after: Some(after), in_use: Some(false), unused_since: since, was_paused, now };
            let pause = decide(&asked);
            prop_assert!(pause.unused_since.is_some_and(|own| own <= now));
            if let Some(paused) = pause.since(now) {
                prop_assert!(now.duration_since(paused) >= after && since == Some(paused));
            }
        }
    }
}
