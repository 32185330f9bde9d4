//! What a grant that no pod uses leads to.

use super::*;

fn paused() -> Case {
    let mut case = Case {
        paused_since: Some(at("02:00:00")),
        ..Case::new()
    };
    case.spec.pause_after = Some("1h".to_owned());
    case
}

#[test]
fn a_paused_grant_is_served_to_its_end_and_not_renewed() {
    let mut case = paused();
    let end = at(AFTER);
    for time in ["04:00:00", LATE] {
        case.now = at(time);
        assert_eq!(held(&case.plan()), (reason::PAUSED, Left::Until(end)));
    }
    case.now = end;
    assert_eq!(held(&case.plan()), (reason::PAUSED, Left::Stale(end)));
    case.secret = revoked("Paused", Some(end));
    assert_eq!(held(&case.plan()), (reason::PAUSED, Left::Expired(end)));
    case.secret = Existing::Absent;
    assert_eq!(held(&case.plan()), (reason::PAUSED, Left::Nothing));
    case.paused_since = None;
    assert_eq!(case.plan(), Plan::Issue(Why::First), "a pod came");
    case.secret = revoked("Paused", Some(end));
    assert_eq!(case.plan(), Plan::Issue(Why::Restored));
}

#[test]
fn what_waits_for_a_pod_says_so() {
    let Plan::Hold {
        message, retry_at, ..
    } = paused().plan()
    else {
        panic!()
    };
    for part in [
        "since 2026-11-22T02:00:00Z",
        "spec.pauseAfter is 1h",
        "a pod wakes it",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(retry_at, None);
}

#[test]
fn a_session_of_another_spec_does_not_stay_for_a_pause() {
    let case = Case {
        identity: Lookup::Ready {
            rule: 0,
            digest: "d2".to_owned(),
        },
        ..paused()
    };
    assert_eq!(case.plan(), Plan::Issue(Why::Changed));
}

#[test]
fn a_pause_hides_nothing_that_someone_must_mend() {
    let mut case = paused();
    case.secret = Existing::Foreign("whose".to_owned());
    assert!(matches!(case.plan(), Plan::Refuse { .. }));
    case.secret = own();
    case.identity = Lookup::Missing;
    assert_eq!(held(&case.plan()).0, reason::IDENTITY_NOT_FOUND);
    case.identity = Lookup::Denied("no rule".to_owned());
    assert_eq!(take_away(&case.plan()), (reason::NOT_ALLOWED, true));
}
