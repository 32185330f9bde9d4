//! What is to be done about an identity, and what its status says after: decided without a clock or a
//! cluster.

use crate::{clock::whole_seconds, failures::Failure};
use alter_crds::{
    AwsIdentityStatus,
    condition::{self, Finding, READY, reason},
};
use alter_policy::caller;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// An answer of AWS counts for so long.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// What the plan is made from.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// The status as it stands.
    pub status: &'a AwsIdentityStatus,
    /// What of the spec cannot be used.
    pub invalid: Option<String>,
    /// Whether the Secret with its key changed since AWS was asked.
    pub changed: bool,
    /// The last failure, where nothing changed since.
    pub failure: Option<&'a Failure>,
    /// Whether the installation has a broker.
    pub has_broker: bool,
    /// The time.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Ask AWS who the operator is.
    Check,
    /// What the status says still holds.
    Wait {
        /// When to ask.
        until: Timestamp,
    },
    /// The spec cannot be used.
    Refuse {
        /// For people.
        message: String,
    },
}

/// Decides.
pub(crate) fn plan(input: &Input<'_>) -> Plan {
    if let Some(message) = &input.invalid {
        return Plan::Refuse {
            message: message.clone(),
        };
    }
    if let Some(failure) = input
        .failure
        .filter(|own| !input.changed && input.now < own.retry_at)
    {
        return Plan::Wait {
            until: failure.retry_at,
        };
    }
    match fresh_until(input) {
        Some(until) if !input.changed => Plan::Wait { until },
        _ => Plan::Check,
    }
}

fn fresh_until(input: &Input<'_>) -> Option<Timestamp> {
    let status = input.status;
    let of_this_spec = status.observed_generation == input.generation;
    let ready = condition::is_true(&status.conditions, READY);
    let checked = status.last_checked.as_ref()?.0;
    let until = checked.checked_add(FRESH).ok()?;
    // A time ahead is of a clock that was wrong.
    let fresh = checked <= input.now + FRESH && input.now < until;
    let left_over = status.broker_arn.is_some() && !input.has_broker;
    (of_this_spec && ready && fresh && !left_over).then_some(until)
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    /// AWS knows the operator.
    Caller {
        /// The account.
        account_id: &'a str,
        /// The principal.
        arn: &'a str,
    },
    /// There is no answer.
    Failed {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: &'a str,
    },
}

/// The status after a look.
///
/// A failure that says nothing about the identity (AWS throttles, or cannot be reached) does not take back
/// what AWS said of the same spec before. What the broker wrote stays while there is one.
pub(crate) fn project(
    old: &AwsIdentityStatus,
    generation: Option<i64>,
    found: &Found<'_>,
    has_broker: bool,
    now: Timestamp,
) -> AwsIdentityStatus {
    let broker_arn = old.broker_arn.clone().filter(|_| has_broker);
    let finding = |status, reason, message| Finding {
        type_: READY,
        status: Some(status),
        reason,
        message,
    };
    let status = |finding, caller: Option<(&str, &str)>| AwsIdentityStatus {
        conditions: condition::merge(&old.conditions, vec![finding], generation, now),
        account_id: caller.map(|(account, _)| account.to_owned()),
        arn: caller.map(|(_, arn)| arn.to_owned()),
        broker_arn: broker_arn.clone(),
        since: caller.map(|(_, arn)| since(old, arn, now)),
        last_checked: caller.map(|_| whole_seconds(now)),
        observed_generation: generation,
    };
    match found {
        Found::Caller { account_id, arn } => {
            let finding = caller::refuse_root(arn).map_or_else(
                || {
                    let message = format!("AWS knows the operator as {arn}");
                    finding(true, reason::IDENTIFIED, message)
                },
                |why| finding(false, reason::ROOT_USER, why),
            );
            status(finding, Some((account_id, arn)))
        }
        Found::Failed { reason, .. }
            if says_nothing(reason)
                && old.observed_generation == generation
                && condition::is_true(&old.conditions, READY) =>
        {
            AwsIdentityStatus {
                broker_arn,
                ..old.clone()
            }
        }
        Found::Failed { reason, message } => {
            status(finding(false, reason, (*message).to_owned()), None)
        }
    }
}

/// Since when AWS knows the operator as that principal.
fn since(old: &AwsIdentityStatus, arn: &str, now: Timestamp) -> Time {
    let same = old
        .arn
        .as_ref()
        .is_some_and(|own| caller::principal(own) == caller::principal(arn));
    let since = old.since.clone().filter(|_| same);
    since.unwrap_or_else(|| whole_seconds(now))
}

fn says_nothing(failure: &str) -> bool {
    failure == reason::THROTTLED || failure == reason::UNAVAILABLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, identity, now};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn status() -> AwsIdentityStatus {
        identity().status.unwrap()
    }

    fn input(status: &AwsIdentityStatus) -> Input<'_> {
        Input {
            generation: Some(1),
            status,
            invalid: None,
            changed: false,
            failure: None,
            has_broker: true,
            now: now(),
        }
    }

    fn failure(retry_at: Timestamp) -> Failure {
        Failure {
            tried: String::new(),
            attempts: 1,
            retry_at,
            reason: reason::SOURCE_REJECTED,
            message: "m".to_owned(),
        }
    }

    fn project(
        old: &AwsIdentityStatus,
        generation: Option<i64>,
        found: &Found<'_>,
        now: Timestamp,
    ) -> AwsIdentityStatus {
        super::project(old, generation, found, true, now)
    }

    #[test]
    fn an_answer_counts_for_an_hour_so_a_restart_asks_nobody() {
        let status = status();
        let plan_at = |time| {
            plan(&Input {
                now: at(time),
                ..input(&status)
            })
        };
        assert_eq!(
            plan_at("04:00:00"),
            Plan::Wait {
                until: at("04:30:00")
            }
        );
        assert_eq!(plan_at("04:30:00"), Plan::Check);
        assert_eq!(
            plan_at("02:00:00"),
            Plan::Check,
            "an answer from the future"
        );
    }

    #[test]
    fn whatever_changed_is_asked_about() {
        let fresh = status();
        let changed = Input {
            changed: true,
            ..input(&fresh)
        };
        assert_eq!(plan(&changed), Plan::Check);
        let edited = Input {
            generation: Some(2),
            ..input(&fresh)
        };
        assert_eq!(plan(&edited), Plan::Check);
        assert_eq!(plan(&input(&AwsIdentityStatus::default())), Plan::Check);
    }

    #[test]
    fn a_failure_waits_for_its_time_unless_the_key_changed() {
        let empty = AwsIdentityStatus::default();
        let failure = failure(at("04:01:00"));
        let mut input = Input {
            failure: Some(&failure),
            ..input(&empty)
        };
        assert_eq!(
            plan(&input),
            Plan::Wait {
                until: at("04:01:00")
            }
        );
        input.changed = true;
        assert_eq!(plan(&input), Plan::Check);
        input.changed = false;
        input.now = at("04:01:00");
        assert_eq!(plan(&input), Plan::Check);
    }

    #[test]
    fn a_broken_spec_is_refused_before_anything_is_asked() {
        let fresh = status();
        let input = Input {
            invalid: Some("spec.allow[0]".to_owned()),
            changed: true,
            ..input(&fresh)
        };
        let message = "spec.allow[0]".to_owned();
        assert_eq!(plan(&input), Plan::Refuse { message });
    }

    #[test]
    fn a_caller_makes_it_ready_and_a_rejected_key_unready() {
        let found = Found::Caller {
            account_id: "1",
            arn: "arn:x",
        };
        let ready = project(
            &AwsIdentityStatus::default(),
            Some(3),
            &found,
            at("04:00:00.7"),
        );
        assert!(condition::is_true(&ready.conditions, READY));
        assert_eq!(ready.last_checked, Some(Time(now())));
        let rejected = Found::Failed {
            reason: reason::SOURCE_REJECTED,
            message: "m",
        };
        let unready = project(&ready, Some(3), &rejected, at("04:10:00"));
        assert!(!condition::is_true(&unready.conditions, READY));
        assert_eq!((unready.arn, unready.observed_generation), (None, Some(3)));
    }

    fn caller(arn: &str) -> Found<'_> {
        Found::Caller {
            account_id: "1",
            arn,
        }
    }

    #[test]
    fn the_root_user_issues_nothing_and_says_so() {
        let arn = "arn:aws:iam::111122223333:root";
        let root = project(&status(), Some(1), &caller(arn), now());
        let ready = condition::find(&root.conditions, READY).unwrap();
        assert_eq!(
            (ready.status.as_str(), &*ready.reason),
            ("False", "RootUser")
        );
        assert!(ready.message.contains("delete the root user's access key"));
        assert_eq!(root.arn.as_deref(), Some(arn), "who AWS says it is");
        let later = Input {
            status: &root,
            ..input(&root)
        };
        assert_eq!(plan(&later), Plan::Check, "no answer to rest on");
    }

    #[test]
    fn since_is_of_the_principal_and_not_of_its_session() {
        let empty = AwsIdentityStatus::default();
        let role = "arn:aws:sts::111122223333:assumed-role/alter/";
        let (one, two) = (format!("{role}token-1"), format!("{role}token-2"));
        let first = project(&empty, Some(1), &caller(&one), at("04:00:00.7"));
        assert_eq!(first.since, Some(Time(at("04:00:00"))));
        let second = project(&first, Some(1), &caller(&two), at("05:00:00"));
        assert_eq!((second.since, second.arn), (first.since.clone(), Some(two)));
        let user = "arn:aws:iam::111122223333:user/alter";
        let third = project(&first, Some(1), &caller(user), at("06:00:00"));
        assert_eq!(third.since, Some(Time(at("06:00:00"))));
        let lost = Found::Failed {
            reason: reason::SOURCE_REJECTED,
            message: "m",
        };
        assert_eq!(project(&third, Some(1), &lost, now()).since, None);
    }

    #[test]
    fn a_failure_that_says_nothing_takes_nothing_back() {
        let throttled = Found::Failed {
            reason: reason::THROTTLED,
            message: "m",
        };
        assert_eq!(project(&status(), Some(1), &throttled, now()), status());
        let edited = project(&status(), Some(2), &throttled, now());
        assert!(!condition::is_true(&edited.conditions, READY));
    }

    #[test]
    fn what_the_broker_wrote_stays_while_there_is_one() {
        let told = AwsIdentityStatus {
            broker_arn: Some("arn:aws:iam::111122223333:role/broker".to_owned()),
            ..status()
        };
        let failed = |reason| Found::Failed {
            reason,
            message: "m",
        };
        for found in [
            caller("arn:x"),
            failed(reason::THROTTLED),
            failed(reason::SOURCE_REJECTED),
        ] {
            let with = project(&told, Some(1), &found, now());
            assert_eq!(with.broker_arn, told.broker_arn, "{found:?}");
            let without = super::project(&told, Some(1), &found, false, now());
            assert_eq!(without.broker_arn, None, "{found:?}");
        }
        assert!(matches!(plan(&input(&told)), Plan::Wait { .. }));
        let gone = Input {
            has_broker: false,
            ..input(&told)
        };
        assert_eq!(plan(&gone), Plan::Check, "so that it is cleared");
    }
}
