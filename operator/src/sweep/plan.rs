//! What becomes of a Secret whose grant may be gone.

use crate::session_secret::Facts;
use alter_crds::condition::reason;
use jiff::{SignedDuration, Timestamp};

/// The Secret stays so long after it was emptied: the kubelet goes on showing pods the last files of a
/// Secret that is gone, so the emptied ones must have reached them.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its grant lives.
    Leave,
    /// Take the session away.
    Empty,
    /// Look again then.
    Wait(Timestamp),
    /// Remove the Secret.
    Remove,
}

/// Decides. `grant_lives` is whether a grant with the UID in the Secret's annotation exists.
pub(crate) fn plan(facts: &Facts, grant_lives: bool, now: Timestamp) -> Step {
    if grant_lives {
        return Step::Leave;
    }
    match &facts.revoked {
        // Emptied for another reason while the grant lived: from now on the grace runs.
        // A time ahead is somebody else's, and would keep the Secret for ever: emptied anew.
        Some(revoked) if revoked.reason == reason::DELETED && revoked.at <= now => {
            match revoked.at.checked_add(GRACE) {
                Ok(until) if now < until => Step::Wait(until),
                _ => Step::Remove,
            }
        }
        _ => Step::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{any_time, at, now, secret_metadata},
        session_secret::Revoked,
    };
    use proptest::prelude::*;

    fn facts(revoked: Option<(&str, &str)>) -> Facts {
        let facts = Facts::read(&secret_metadata("g-1")).unwrap();
        let revoked = revoked.map(|(reason, since)| Revoked {
            at: at(since),
            reason: reason.to_owned(),
            expiration: None,
        });
        Facts {
            served: facts.served.filter(|_| revoked.is_none()),
            revoked,
            ..facts
        }
    }

    #[test]
    fn the_secret_of_a_living_grant_is_left_alone() {
        for secret in [facts(None), facts(Some(("Deleted", "01:00:00")))] {
            assert_eq!(plan(&secret, true, now()), Step::Leave);
        }
    }

    #[test]
    fn an_orphan_is_emptied_then_removed_after_five_minutes() {
        assert_eq!(plan(&facts(None), false, now()), Step::Empty);
        let emptied = facts(Some(("Deleted", "04:00:00")));
        assert_eq!(
            plan(&emptied, false, at("04:04:59")),
            Step::Wait(at("04:05:00"))
        );
        assert_eq!(plan(&emptied, false, at("04:05:00")), Step::Remove);
    }

    #[test]
    fn one_emptied_for_another_reason_says_deleted_first() {
        let suspended = facts(Some(("Suspended", "01:00:00")));
        assert_eq!(plan(&suspended, false, now()), Step::Empty);
    }

    #[test]
    fn a_time_that_nobody_has_seen_yet_keeps_no_secret() {
        for ahead in ["9999-12-30T22:00:00Z", "2099-01-01T00:00:00Z"] {
            let mut forged = facts(Some(("Deleted", "01:00:00")));
            if let Some(revoked) = &mut forged.revoked {
                revoked.at = ahead.parse().unwrap();
            }
            assert_eq!(plan(&forged, false, now()), Step::Empty, "{ahead}");
        }
    }

    proptest! {
        #[test]
        fn no_time_keeps_a_secret_for_longer_than_the_grace(
            at in any_time(),
            now in any_time(),
            reason in prop_oneof![Just("Deleted"), Just("Suspended")],
        ) {
            let mut secret = facts(Some((reason, "01:00:00")));
            if let Some(revoked) = &mut secret.revoked {
                revoked.at = at;
            }
            match plan(&secret, false, now) {
                Step::Wait(until) => {
                    prop_assert!(now < until && until.duration_since(now) <= GRACE);
                }
                Step::Remove => prop_assert!(reason == "Deleted" && at <= now),
                Step::Empty => prop_assert!(reason != "Deleted" || now < at),
                Step::Leave => prop_assert!(false, "its grant is gone"),
            }
            prop_assert_eq!(plan(&secret, true, now), Step::Leave);
        }
    }
}
