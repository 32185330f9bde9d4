//! Every row of the table, and what the status says about it.

use super::*;
use crate::fixtures::{any_time, at, now};
use alter_policy::revocation::Denial;
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Case {
    cut: Option<Timestamp>,
    denied: Option<Timestamp>,
    identity: Lookup,
    order: Option<Result<Order, NotTold>>,
    attempt: Option<Attempt>,
    next: Option<Timestamp>,
    now: Timestamp,
}

fn order() -> Order {
    Order {
        role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
        revocation_role_arn: "arn:aws:iam::111122223333:role/alter-revocation".to_owned(),
        policy_name: "alter-revocations".to_owned(),
        denial: Denial::new(BTreeMap::new(), now()),
    }
}

impl Case {
    /// A time that came a moment ago, and that AWS does not know.
    fn new() -> Self {
        Self {
            cut: Some(at("03:59:50")),
            denied: None,
            identity: Lookup::Ready {
                rule: 0,
                digest: "d1".to_owned(),
            },
            order: Some(Ok(order())),
            attempt: None,
            next: None,
            now: now(),
        }
    }

    fn plan(&self) -> Plan {
        plan(&Input {
            cut: self.cut,
            denied: self.denied,
            identity: &self.identity,
            order: self.order.as_ref(),
            attempt: self.attempt.as_ref(),
            next: self.next,
            now: self.now,
        })
    }
}

fn failure(retry_at: &str) -> Failure {
    Failure {
        tried: "t".to_owned(),
        attempts: 1,
        retry_at: at(retry_at),
        reason: reason::ACCESS_DENIED,
        message: "no".to_owned(),
    }
}

fn not_told(plan: &Plan) -> (&'static str, String, Option<Timestamp>) {
    match plan {
        Plan::NotTold {
            reason,
            message,
            retry_at,
        } => (*reason, message.clone(), *retry_at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn aws_is_told_once_the_time_has_come_and_never_again() {
    let mut case = Case::new();
    assert_eq!(case.plan(), Plan::Tell);
    case.now = at("03:59:49");
    assert_eq!(case.plan(), Plan::Ahead(at("03:59:50")));
    assert_eq!(case.plan().wait(case.now), Duration::from_secs(1));
    case.now = now();
    for denied in ["03:59:50", "04:30:00"] {
        case.denied = Some(at(denied));
        assert_eq!(case.plan(), Plan::Stands, "{denied}");
    }
    case.denied = Some(at("03:59:49"));
    assert_eq!(case.plan(), Plan::Tell, "a later time");
    // AWS is told whole seconds.
    case.cut = Some(at("03:59:48.5"));
    assert_eq!(case.plan(), Plan::Stands);
    case.cut = None;
    assert_eq!(case.plan(), Plan::Unasked);
}

#[test]
fn what_is_under_way_is_not_begun_again_and_what_is_done_is_told() {
    let mut case = Case::new();
    case.attempt = Some(Attempt::Underway);
    assert_eq!(case.plan(), Plan::Underway);
    case.attempt = Some(Attempt::Done("m".to_owned()));
    let done = Plan::Done {
        cut: at("03:59:50"),
        message: "m".to_owned(),
    };
    assert_eq!(case.plan(), done);
    case.identity = Lookup::Missing;
    assert_eq!(case.plan(), done, "whatever came after");
}

#[test]
fn a_failure_is_tried_again_in_its_time() {
    let mut case = Case::new();
    case.attempt = Some(Attempt::Failed(failure("04:00:30")));
    let (reason, message, retry_at) = not_told(&case.plan());
    assert_eq!(
        (reason, retry_at),
        (reason::ACCESS_DENIED, Some(at("04:00:30")))
    );
    assert_eq!(message, "AWS was not told: no");
    assert_eq!(case.plan().wait(now()), Duration::from_secs(30));
    case.now = at("04:00:30");
    assert_eq!(case.plan(), Plan::Tell);
}

#[test]
fn a_used_up_allowance_waits_and_a_retry_has_its_backoff() {
    let mut case = Case {
        next: Some(at("04:00:30")),
        ..Case::new()
    };
    let (reason, message, retry_at) = not_told(&case.plan());
    assert_eq!((reason, retry_at), (reason::TOO_MANY_ISSUES, case.next));
    assert!(message.contains("keeps changing"), "{message}");
    case.attempt = Some(Attempt::Failed(failure("04:00:00")));
    assert_eq!(case.plan(), Plan::Tell);
}

#[test]
fn whoever_may_not_use_the_role_cuts_nobody_off_from_it() {
    for (identity, expected) in [
        (Lookup::Denied("no rule".to_owned()), reason::NOT_ALLOWED),
        (Lookup::Missing, reason::IDENTITY_NOT_FOUND),
        (Lookup::NotReady("w".to_owned()), reason::IDENTITY_NOT_READY),
    ] {
        let case = Case {
            identity,
            ..Case::new()
        };
        assert_eq!(not_told(&case.plan()).0, expected);
    }
    let case = Case {
        identity: Lookup::NotSeenYet,
        ..Case::new()
    };
    assert_eq!(case.plan(), Plan::Stands, "for a moment");
    // A field that makes no session any more is of no account for those that are out.
    let case = Case {
        identity: Lookup::Invalid {
            rule: 0,
            message: "durationSeconds: …".to_owned(),
        },
        ..Case::new()
    };
    assert_eq!(case.plan(), Plan::Tell);
}

#[test]
fn an_identity_without_the_means_says_so_until_nothing_is_out() {
    let mut case = Case {
        order: Some(Err(NotTold::NoRevocationRole {
            identity: "default".to_owned(),
        })),
        ..Case::new()
    };
    let (reason, message, retry_at) = not_told(&case.plan());
    assert_eq!((reason, retry_at), (reason::NO_REVOCATION_ROLE, None));
    assert!(message.contains("spec.revocation.roleArn"), "{message}");
    case.now = now() + SignedDuration::from_hours(13);
    assert_eq!(case.plan(), Plan::Over(at("03:59:50")));
    case.order = Some(Ok(order()));
    assert_eq!(case.plan(), Plan::Over(at("03:59:50")));
}

/// Nothing where the condition is absent.
fn shown(status: &AwsGrantStatus) -> String {
    let own = condition::find(&status.conditions, REVOKED_AT_AWS);
    own.map_or(String::new(), |own| {
        format!("{} {}", own.status, own.reason)
    })
}

#[test]
fn the_status_says_what_came_of_it() {
    let mut status = AwsGrantStatus::default();
    let failed = Plan::NotTold {
        reason: reason::ACCESS_DENIED,
        message: "m".to_owned(),
        retry_at: None,
    };
    let done = Plan::Done {
        cut: at("03:59:50.5"),
        message: "m".to_owned(),
    };
    let second = Some(at("03:59:51"));
    for (plan, expected, denied) in [
        (Plan::Ahead(now()), "", None),
        (Plan::Tell, "Unknown Pending", None),
        (failed, "False AccessDenied", None),
        // A retry is no news.
        (Plan::Underway, "False AccessDenied", None),
        (done, "True DeniedByPolicy", second),
        (Plan::Stands, "True DeniedByPolicy", second),
        // A later one.
        (Plan::Tell, "Unknown Pending", second),
        (Plan::Over(now()), "True Expired", second),
        (Plan::Unasked, "", None),
    ] {
        plan.tell(&mut status, Some(1), now());
        let told = status.denied_before.as_ref().map(|own| own.0);
        assert_eq!(
            (shown(&status).as_str(), told),
            (expected, denied),
            "{plan:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_time_makes_a_plan_panic(cut in any_time(), denied in prop::option::of(any_time()), now in any_time()) {
        let case = Case { cut: Some(cut), denied, now, ..Case::new() };
        let plan = case.plan();
        plan.wait(now);
        let mut status = AwsGrantStatus::default();
        plan.tell(&mut status, None, now);
        prop_assert!(plan != Plan::Tell || (cut <= now && denied.is_none_or(|at| at < second(cut))));
    }
}
