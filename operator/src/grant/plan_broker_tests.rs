//! Grants whose sessions come from the broker.

use super::*;

fn of_broker() -> Case {
    let mut case = Case::new();
    case.spec.store = Store::Broker;
    case
}

#[test]
fn a_session_from_before_the_change_of_store_goes_whatever_the_identity_says() {
    for identity in [Case::new().identity, Lookup::Missing, Lookup::NotSeenYet] {
        let case = Case {
            identity,
            ..of_broker()
        };
        assert_eq!(case.plan(), Plan::Brokered { clear: true });
    }
    let mut unwritten = failure("05:00:00");
    unwritten.reason = reason::SECRET_WRITE_FAILED;
    let case = Case {
        failure: Some(unwritten),
        ..of_broker()
    };
    assert!(matches!(case.plan(), Plan::NotTakenAway { .. }));
}

#[test]
fn nothing_is_issued_for_a_grant_of_the_broker() {
    let foreign = Existing::Foreign("someone's".to_owned());
    let gone = revoked(reason::STORE_CHANGED, None);
    for secret in [Existing::Absent, Existing::Leftover, foreign, gone] {
        let case = Case {
            secret,
            ..of_broker()
        };
        assert_eq!(case.plan(), Plan::Brokered { clear: false });
        let case = Case {
            identity: Lookup::Missing,
            ..case
        };
        assert_eq!(
            held(&case.plan()),
            (reason::IDENTITY_NOT_FOUND, Left::Nothing)
        );
    }
}

#[test]
fn without_a_broker_its_grants_are_told_so_and_have_nothing() {
    let case = Case {
        has_broker: false,
        ..of_broker()
    };
    assert_eq!(take_away(&case.plan()), (reason::BROKER_DISABLED, true));
    let case = Case {
        secret: Existing::Absent,
        ..case
    };
    assert_eq!(take_away(&case.plan()), (reason::BROKER_DISABLED, false));
}

#[test]
fn back_in_a_secret_a_session_is_issued_anew() {
    let case = Case {
        secret: revoked(reason::STORE_CHANGED, None),
        ..Case::new()
    };
    assert_eq!(case.plan(), Plan::Issue(Why::Restored));
}
