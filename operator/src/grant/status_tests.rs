use super::*;
use crate::fixtures::{at, grant, now};

fn served(issued: &str, until: &str) -> Served {
    Served {
        issued_at: at(issued),
        expiration: at(until),
        digest: "d1".to_owned(),
        access_key_id: "ASIA1".to_owned(),
        assumed_role_arn: "arn:r".to_owned(),
    }
}

fn ready() -> Lookup {
    Lookup::Ready {
        rule: 0,
        digest: "d1".to_owned(),
    }
}

fn shown(status: &AwsGrantStatus, type_: &str) -> (String, String, String) {
    let found = status.conditions.iter().find(|own| own.type_ == type_);
    let own = found.unwrap().clone();
    (own.status, own.reason, own.message)
}

#[test]
fn a_served_session_is_ready_and_says_until_when() {
    let served = served("04:00:00", "05:00:00");
    let view = View::Serving {
        served: &served,
        next_refresh: at("04:28:10.5"),
    };
    let status = project(&grant(), &ready(), &view, true, now());
    assert_eq!(shown(&status, READY).0, "True");
    assert_eq!(shown(&status, IDENTITY_READY).1, "Allowed");
    assert_eq!(status.next_refresh, Some(Time(at("04:28:10"))));
    assert_eq!(status.secret_name.as_deref(), Some("bedrock-aws"));
    let again = AwsGrant {
        status: Some(status.clone()),
        ..grant()
    };
    let later = project(&again, &ready(), &view, true, at("04:10:00"));
    assert_eq!(later, status, "the same view writes nothing");
}

#[test]
fn a_short_life_is_ready_with_a_warning() {
    let short = served("04:00:00", "04:15:00");
    let view = View::Serving {
        served: &short,
        next_refresh: at("04:05:00"),
    };
    let status = project(&grant(), &ready(), &view, true, now());
    assert!(
        shown(&status, READY)
            .2
            .contains("durationSeconds 1500 or more")
    );
}

#[test]
fn a_held_session_stays_ready_and_says_why_it_is_not_renewed() {
    let served = served("04:00:00", "05:00:00");
    let view = View::Held {
        reason: reason::THROTTLED,
        message: "slow down",
        left: Left::Until(served.expiration),
        served: Some(&served),
        retry_at: Some(at("04:31:00")),
    };
    let status = project(&grant(), &ready(), &view, true, now());
    let (ready, why, message) = shown(&status, READY);
    assert_eq!((ready.as_str(), why.as_str()), ("True", "Issued"));
    assert!(message.contains("until 2026-11-22T05:00:00Z") && message.contains("slow down"));
    assert_eq!(shown(&status, REFRESHED).1, "Throttled");
    assert_eq!(status.expiration, Some(Time(at("05:00:00"))));
}

#[test]
fn an_expired_session_says_since_when_and_why() {
    for left in [Left::Stale(at("03:00:00")), Left::Expired(at("03:00:00"))] {
        let view = View::Held {
            reason: reason::ACCESS_DENIED,
            message: "denied",
            left,
            served: None,
            retry_at: None,
        };
        let status = project(&grant(), &ready(), &view, true, now());
        let (ready, why, message) = shown(&status, READY);
        assert_eq!((ready.as_str(), why.as_str()), ("False", "Expired"));
        assert!(message.contains("03:00:00Z") && message.contains("denied"));
        assert_eq!(status.expiration, None);
    }
}

#[test]
fn a_paused_grant_is_ready_until_its_session_ends_and_no_renewal_failed() {
    let served = served("04:00:00", "05:00:00");
    let held = |left, served| View::Held {
        reason: reason::PAUSED,
        message: "no pod has used the grant",
        left,
        served,
        retry_at: None,
    };
    let view = held(Left::Until(served.expiration), Some(&served));
    let status = project(&grant(), &ready(), &view, true, now());
    let (is_ready, why, message) = shown(&status, READY);
    assert_eq!((is_ready.as_str(), why.as_str()), ("True", "Issued"));
    assert!(message.contains("not renewed: no pod"), "{message}");
    let refreshed = shown(&status, REFRESHED);
    assert_eq!(
        (refreshed.0.as_str(), refreshed.1.as_str()),
        ("Unknown", "Paused")
    );
    for left in [Left::Expired(at("03:00:00")), Left::Nothing] {
        let status = project(&grant(), &ready(), &held(left, None), true, now());
        let (is_ready, why, _) = shown(&status, READY);
        assert_eq!((is_ready.as_str(), why.as_str()), ("False", "Paused"));
    }
}

#[test]
fn a_full_session_says_what_it_may_not() {
    let served = served("04:00:00", "05:00:00");
    let view = View::Serving {
        served: &served,
        next_refresh: at("04:28:00"),
    };
    let mut grant = grant();
    grant.spec.role_arn = None;
    let message = |grant: &AwsGrant| {
        let status = project(grant, &ready(), &view, true, now());
        shown(&status, READY).2
    };
    let text = message(&grant);
    assert!(
        text.contains("own user") && text.contains("but call IAM"),
        "{text}"
    );
    grant.spec.policy = Some("{}".to_owned());
    let text = message(&grant);
    assert!(text.contains("own user") && !text.contains("IAM"), "{text}");
}

#[test]
fn a_grant_for_some_service_accounts_says_what_a_secret_cannot_promise() {
    let view = View::Refused { message: "m" };
    let mut grant = grant();
    let status = project(&grant, &ready(), &view, false, now());
    let of = |status: &AwsGrantStatus| {
        condition::find(&status.conditions, SERVICE_ACCOUNTS_ENFORCED).cloned()
    };
    assert_eq!(of(&status), None);
    grant.spec.service_accounts = vec!["app".to_owned()];
    let status = project(&grant, &ready(), &view, false, now());
    let told = of(&status).unwrap();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("False", "NamespaceShared")
    );
    assert!(told.message.contains("the namespace is the boundary"));
    grant.spec.store = Store::Broker;
    let brokered = project(&grant, &ready(), &View::Brokered, false, now());
    let told = of(&brokered).unwrap();
    assert_eq!(told.status, "True");
    for way in [
        "create such a pod",
        "exec into one",
        "forward a port",
        "make tokens of such an account",
    ] {
        assert!(told.message.contains(way), "{way}: {}", told.message);
    }
    grant.spec.store = Store::Secret;
    grant.spec.service_accounts.clear();
    grant.status = Some(status);
    let status = project(&grant, &ready(), &view, false, now());
    assert_eq!(of(&status), None, "it goes with the list");
}

#[test]
fn what_was_taken_away_leaves_no_trace_of_a_session() {
    let view = View::TakenAway {
        reason: reason::SUSPENDED,
        message: "m",
    };
    let status = project(&grant(), &ready(), &view, true, now());
    assert_eq!(shown(&status, READY).1, "Suspended");
    assert_eq!((status.access_key_id, status.expiration), (None, None));
}

#[test]
fn what_could_not_be_taken_away_is_not_ready_and_shows_what_is_out() {
    let served = served("04:00:00", "05:00:00");
    let view = View::NotTakenAway {
        message: "the session was not taken away: m",
        served: Some(&served),
    };
    let status = project(&grant(), &ready(), &view, true, now());
    for type_ in [READY, REFRESHED] {
        let (ready, why, message) = shown(&status, type_);
        assert_eq!(
            (ready.as_str(), why.as_str()),
            ("False", "SecretWriteFailed")
        );
        assert_eq!(message, "the session was not taken away: m");
    }
    assert_eq!(status.expiration, Some(Time(at("05:00:00"))));
    assert_eq!(status.access_key_id.as_deref(), Some("ASIA1"));
    assert_eq!(status.next_refresh, None);
}

#[test]
fn an_identity_not_yet_seen_is_unknown_rather_than_false() {
    let view = View::Held {
        reason: reason::PENDING,
        message: "m",
        left: Left::Nothing,
        served: None,
        retry_at: None,
    };
    let status = project(&grant(), &Lookup::NotSeenYet, &view, false, now());
    assert_eq!(shown(&status, READY).0, "Unknown");
    assert_eq!(shown(&status, IDENTITY_READY).0, "Unknown");
    assert_eq!(status.secret_name, None);
}
