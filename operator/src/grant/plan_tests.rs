//! Every row of the table: what a grant, its identity and its Secret lead to.

use super::*;
use crate::{
    fixtures::{at, grant, now, secret_metadata},
    session_secret::Revoked,
};
use proptest::prelude::*;

/// Between the renewal at about half of the life and the session's end at 04:55.
const LATE: &str = "04:40:00";
const AFTER: &str = "04:55:00";

struct Case {
    spec: AwsGrantSpec,
    deleting: bool,
    identity: Lookup,
    secret: Existing,
    failure: Option<Failure>,
    issue_at: Option<Timestamp>,
    turn_at: Option<Timestamp>,
    revoke_before: Option<Timestamp>,
    paused_since: Option<Timestamp>,
    reported_until: Option<Timestamp>,
    has_broker: bool,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        Self {
            spec: grant().spec,
            deleting: false,
            identity: Lookup::Ready {
                rule: 0,
                digest: "d1".to_owned(),
            },
            secret: own(),
            failure: None,
            issue_at: None,
            turn_at: None,
            revoke_before: None,
            paused_since: None,
            reported_until: None,
            has_broker: true,
            now: now(),
        }
    }

    fn plan(&self) -> Plan {
        plan(&Input {
            spec: &self.spec,
            uid: "g-1",
            deleting: self.deleting,
            identity: &self.identity,
            secret: &self.secret,
            failure: self.failure.as_ref(),
            issue_at: self.issue_at,
            turn_at: self.turn_at,
            revoke_before: self.revoke_before,
            paused_since: self.paused_since,
            reported_until: self.reported_until,
            min_interval: SignedDuration::from_mins(5),
            has_broker: self.has_broker,
            now: self.now,
        })
    }
}

/// Issued at 03:55, expires at 04:55.
fn own() -> Existing {
    Existing::Own(Facts::read(&secret_metadata("g-1")).unwrap())
}

fn revoked(reason: &str, expiration: Option<Timestamp>) -> Existing {
    let Existing::Own(facts) = own() else {
        unreachable!()
    };
    Existing::Own(Facts {
        served: None,
        revoked: Some(Revoked {
            at: now(),
            reason: reason.to_owned(),
            expiration,
        }),
        ..facts
    })
}

fn failure(retry_at: &str) -> Failure {
    Failure {
        tried: "t".to_owned(),
        attempts: 1,
        retry_at: at(retry_at),
        reason: reason::THROTTLED,
        message: "slow down".to_owned(),
    }
}

fn take_away(plan: &Plan) -> (&'static str, bool) {
    match plan {
        Plan::TakeAway { reason, write, .. } => (reason, *write),
        other => panic!("{other:?}"),
    }
}

fn held(plan: &Plan) -> (&'static str, Left) {
    match plan {
        Plan::Hold { reason, left, .. } => (reason, *left),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fresh_secret_waits_so_a_restart_calls_nobody() {
    let Plan::Wait { until } = Case::new().plan() else {
        panic!()
    };
    assert!(
        until <= at("04:25:00") && until >= at("04:22:00"),
        "{until}"
    );
    assert_eq!(Case::new().plan(), Plan::Wait { until });
}

#[test]
fn a_session_is_issued_where_there_is_none_that_fits() {
    let case = |secret, time| Case {
        secret,
        now: at(time),
        ..Case::new()
    };
    let unknown = {
        let Existing::Own(facts) = own() else {
            panic!()
        };
        Existing::Own(Facts {
            served: None,
            ..facts
        })
    };
    let rows = [
        (case(Existing::Absent, "04:00:00"), Why::First),
        (case(Existing::Leftover, "04:00:00"), Why::First),
        (case(own(), LATE), Why::Due),
        (case(own(), AFTER), Why::Due),
        (case(unknown, "04:00:00"), Why::Changed),
        (case(revoked("Suspended", None), "04:00:00"), Why::Restored),
        (
            case(revoked("Expired", Some(at("03:00:00"))), "04:00:00"),
            Why::Restored,
        ),
    ];
    for (case, why) in rows {
        assert_eq!(case.plan(), Plan::Issue(why), "{:?}", case.secret);
    }
    let changed = Case {
        identity: Lookup::Ready {
            rule: 0,
            digest: "d2".to_owned(),
        },
        ..Case::new()
    };
    assert_eq!(changed.plan(), Plan::Issue(Why::Changed));
}

#[test]
fn suspending_deleting_and_denying_take_away_at_once() {
    let mut suspended = Case::new();
    suspended.spec.suspend = true;
    assert_eq!(take_away(&suspended.plan()), (reason::SUSPENDED, true));
    let deleting = Case {
        deleting: true,
        ..Case::new()
    };
    assert_eq!(take_away(&deleting.plan()), (reason::DELETED, true));
    let denied = Case {
        identity: Lookup::Denied("no rule".to_owned()),
        ..Case::new()
    };
    assert_eq!(take_away(&denied.plan()), (reason::NOT_ALLOWED, true));
}

#[test]
fn what_is_taken_away_is_written_once() {
    let mut case = Case {
        secret: revoked("Suspended", None),
        ..Case::new()
    };
    case.spec.suspend = true;
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, false));
    case.secret = revoked("Expired", None);
    assert_eq!(
        take_away(&case.plan()),
        (reason::SUSPENDED, true),
        "the reason changed"
    );
    for secret in [
        Existing::Absent,
        Existing::Leftover,
        Existing::Foreign("x".to_owned()),
    ] {
        case.secret = secret;
        assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, false));
    }
}

#[test]
fn a_secret_removed_under_a_living_session_comes_back_revoked() {
    let mut case = Case {
        secret: Existing::Absent,
        reported_until: Some(at("04:30:00")),
        ..Case::new()
    };
    case.spec.suspend = true;
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, true));
    case.now = at("04:30:00");
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, false));
    case.now = now();
    case.deleting = true;
    assert_eq!(take_away(&case.plan()), (reason::DELETED, false));
}

#[test]
fn a_foreign_secret_is_refused_and_never_touched() {
    let case = Case {
        secret: Existing::Foreign("whose".to_owned()),
        ..Case::new()
    };
    let message = "whose".to_owned();
    assert_eq!(case.plan(), Plan::Refuse { message });
}

#[test]
fn an_identity_that_cannot_be_asked_keeps_the_session_until_it_expires() {
    let rows = [
        (Lookup::Missing, reason::IDENTITY_NOT_FOUND),
        (Lookup::NotSeenYet, reason::PENDING),
        (Lookup::NotReady("w".to_owned()), reason::IDENTITY_NOT_READY),
        (
            Lookup::Invalid {
                rule: 0,
                message: "durationSeconds: …".to_owned(),
            },
            reason::INVALID_SPEC,
        ),
    ];
    let end = at(AFTER);
    for (identity, expected) in rows {
        let mut case = Case {
            identity,
            now: at(LATE),
            ..Case::new()
        };
        assert_eq!(held(&case.plan()), (expected, Left::Until(end)));
        case.now = end;
        assert_eq!(
            held(&case.plan()),
            (expected, Left::Stale(end)),
            "its keys must go"
        );
        case.secret = revoked("Expired", Some(end));
        assert_eq!(held(&case.plan()), (expected, Left::Expired(end)));
        for nothing in [
            Existing::Absent,
            Existing::Leftover,
            revoked("Suspended", None),
        ] {
            case.secret = nothing;
            assert_eq!(held(&case.plan()), (expected, Left::Nothing));
        }
    }
}

#[test]
fn a_failure_is_not_repeated_before_its_time_and_keeps_the_session() {
    let mut case = Case {
        failure: Some(failure("04:45:00")),
        now: at(LATE),
        ..Case::new()
    };
    assert_eq!(
        held(&case.plan()),
        (reason::THROTTLED, Left::Until(at(AFTER)))
    );
    case.now = at("04:45:00");
    assert_eq!(case.plan(), Plan::Issue(Why::Due));
    case.now = at("04:10:00");
    assert!(
        matches!(case.plan(), Plan::Wait { .. }),
        "not due: the failure is of no account"
    );
    case.failure = Some(failure("05:00:00"));
    case.now = at(AFTER);
    assert_eq!(
        held(&case.plan()),
        (reason::THROTTLED, Left::Stale(at(AFTER)))
    );
}

#[test]
fn a_taking_away_that_could_not_be_written_waits_for_its_time_alone() {
    let mut case = Case {
        failure: Some(Failure {
            reason: reason::SECRET_WRITE_FAILED,
            ..failure("04:01:00")
        }),
        ..Case::new()
    };
    case.spec.suspend = true;
    let expected = Plan::NotTakenAway {
        message: "the session was not taken away: slow down".to_owned(),
        retry_at: at("04:01:00"),
    };
    assert_eq!(case.plan(), expected);
    case.now = at("04:01:00");
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, true));
    case.now = now();
    case.secret = revoked("Suspended", None);
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, false));
    case.secret = own();
    case.failure = Some(failure("04:01:00"));
    assert_eq!(
        take_away(&case.plan()),
        (reason::SUSPENDED, true),
        "what AWS said holds nothing up"
    );
}

#[test]
fn a_used_up_allowance_holds_and_says_what_keeps_changing() {
    let mut case = Case {
        issue_at: Some(at("04:40:30")),
        now: at(LATE),
        ..Case::new()
    };
    let until = Left::Until(at(AFTER));
    assert_eq!(held(&case.plan()), (reason::TOO_MANY_ISSUES, until));
    let Plan::Hold {
        message, retry_at, ..
    } = case.plan()
    else {
        panic!()
    };
    assert!(
        message.contains("annotations keep changing") && message.contains("04:40:30Z"),
        "{message}"
    );
    assert_eq!(retry_at, case.issue_at);
    case.failure = Some(failure(LATE));
    assert_eq!(
        case.plan(),
        Plan::Issue(Why::Due),
        "an attempt that is repeated has its backoff"
    );
    case.failure = None;
    case.spec.suspend = true;
    assert_eq!(take_away(&case.plan()), (reason::SUSPENDED, true));
    case.spec.suspend = false;
    case.now = now();
    assert!(matches!(case.plan(), Plan::Wait { .. }), "nothing is due");
}

#[test]
fn one_without_a_turn_holds_and_an_expired_session_still_goes() {
    let mut case = Case {
        turn_at: Some(at("04:40:01")),
        now: at(LATE),
        ..Case::new()
    };
    assert_eq!(
        held(&case.plan()),
        (reason::PENDING, Left::Until(at(AFTER)))
    );
    case.now = at(AFTER);
    assert_eq!(
        held(&case.plan()),
        (reason::PENDING, Left::Stale(at(AFTER)))
    );
}

#[test]
fn taking_away_outranks_all_else() {
    let mut case = Case {
        identity: Lookup::Denied("d".to_owned()),
        deleting: true,
        failure: Some(failure("05:00:00")),
        ..Case::new()
    };
    case.spec.suspend = true;
    assert_eq!(take_away(&case.plan()).0, reason::DELETED);
    case.deleting = false;
    assert_eq!(take_away(&case.plan()).0, reason::SUSPENDED);
    case.spec.suspend = false;
    assert_eq!(take_away(&case.plan()).0, reason::NOT_ALLOWED);
}

proptest! {
    #[test]
    fn nothing_is_ever_served_past_its_end(minute in 0_i64..240, held in any::<bool>()) {
        let case = Case {
            identity: if held { Lookup::Missing } else { Case::new().identity },
            now: now() + SignedDuration::from_mins(minute),
            ..Case::new()
        };
        match case.plan() {
            Plan::Wait { until } => prop_assert!(case.now < until && until < at(AFTER)),
            Plan::Hold { left: Left::Until(end), .. } => prop_assert!(case.now < end),
            Plan::Hold { .. } => prop_assert!(case.now >= at(AFTER)),
            Plan::Issue(_) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

#[path = "plan_broker_tests.rs"]
mod of_broker;

#[path = "plan_pause_tests.rs"]
mod of_pause;
