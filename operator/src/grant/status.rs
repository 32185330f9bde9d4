//! A grant's status: what a plan and its outcome mean to those who read it.

use super::plan::Left;
use crate::{clock::whole_seconds, session_secret::Served};
use alter_crds::{
    AwsGrant, AwsGrantStatus,
    condition::{self, Finding, IDENTITY_READY, READY, REFRESHED, reason},
};
use alter_issuer::lookup::Lookup;
use alter_policy::refresh::SHORT_LIFE;
use alter_protocol::session::rfc3339;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How a grant stands after a reconcile.
#[derive(Clone, Debug)]
pub(crate) enum View<'a> {
    /// A session is served, and will be renewed.
    Serving {
        /// The session.
        served: &'a Served,
        /// When it is to be renewed.
        next_refresh: Timestamp,
    },
    /// Nothing may be served.
    TakenAway {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: &'a str,
    },
    /// Nothing may be served, but the Secret could not be written.
    NotTakenAway {
        /// For people.
        message: &'a str,
        /// The session that is served still.
        served: Option<&'a Served>,
    },
    /// No session is to be had.
    Held {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: &'a str,
        /// What is left.
        left: Left,
        /// The session that is left.
        served: Option<&'a Served>,
        /// When the next attempt is made, where one is due.
        retry_at: Option<Timestamp>,
    },
    /// The Secret is not the grant's.
    Refused {
        /// For people.
        message: &'a str,
    },
}

/// The status. The same view gives the same status, so that nothing is written where nothing changed.
pub(crate) fn project(
    grant: &AwsGrant,
    lookup: &Lookup,
    view: &View<'_>,
    has_secret: bool,
    now: Timestamp,
) -> AwsGrantStatus {
    let old = grant.status.clone().unwrap_or_default();
    let generation = grant.metadata.generation;
    let mut findings = own_findings(grant, view);
    findings.push(identity_finding(grant, lookup));
    let (served, next) = match view {
        View::Serving {
            served,
            next_refresh,
        } => (Some(*served), Some(*next_refresh)),
        View::Held {
            left: Left::Until(_),
            served,
            retry_at,
            ..
        } => (*served, *retry_at),
        // People must find it in CloudTrail, and the operator know that it is out.
        View::NotTakenAway { served, .. } => (*served, None),
        View::TakenAway { .. } | View::Held { .. } | View::Refused { .. } => (None, None),
    };
    AwsGrantStatus {
        conditions: condition::merge(&old.conditions, findings, generation, now),
        observed_generation: generation,
        assumed_role_arn: served.map(|own| own.assumed_role_arn.clone()),
        access_key_id: served.map(|own| own.access_key_id.clone()),
        expiration: served.map(|own| Time(own.expiration)),
        last_refresh: served.map(|own| Time(own.issued_at)),
        next_refresh: next.map(whole_seconds),
        secret_name: has_secret.then(|| grant.secret_name()),
    }
}

fn own_findings(grant: &AwsGrant, view: &View<'_>) -> Vec<Finding> {
    let role = &grant.spec.role_arn;
    match view {
        View::Serving { served, .. } => vec![
            finding(READY, Some(true), reason::ISSUED, serving(role, served)),
            finding(
                REFRESHED,
                Some(true),
                reason::ISSUED,
                "the last renewal succeeded".to_owned(),
            ),
        ],
        View::TakenAway { reason, message } => neither(reason, message),
        View::NotTakenAway { message, .. } => neither(reason::SECRET_WRITE_FAILED, message),
        View::Refused { message } => neither(reason::SECRET_CONFLICT, message),
        View::Held {
            reason,
            message,
            left,
            ..
        } => {
            let status = (*reason != reason::PENDING).then_some(false);
            vec![
                held(role, reason, message, *left, status),
                finding(REFRESHED, status, reason, (*message).to_owned()),
            ]
        }
    }
}

/// Neither ready nor refreshed.
fn neither(reason: &'static str, message: &str) -> Vec<Finding> {
    let of = |type_| finding(type_, Some(false), reason, message.to_owned());
    vec![of(READY), of(REFRESHED)]
}

fn held(role: &str, why: &'static str, message: &str, left: Left, status: Option<bool>) -> Finding {
    match left {
        Left::Until(at) => {
            let until = rfc3339(at);
            let text =
                format!("a session of {role} is served until {until}, but not renewed: {message}");
            finding(READY, Some(true), reason::ISSUED, text)
        }
        Left::Stale(at) | Left::Expired(at) => {
            let text = format!(
                "the session expired at {}, and there is no new one: {message}",
                rfc3339(at)
            );
            finding(READY, Some(false), reason::EXPIRED, text)
        }
        Left::Nothing => finding(READY, status, why, message.to_owned()),
    }
}

fn serving(role: &str, served: &Served) -> String {
    let life = served.expiration.duration_since(served.issued_at);
    let text = format!("a session of {role} is served");
    if life >= SHORT_LIFE {
        return text;
    }
    format!(
        "{text}; it lives {} s, so that pods see it with less than the 15 minutes left below which SDKs \
         such as boto3 ask again with every request: write durationSeconds {} or more",
        life.as_secs(),
        SHORT_LIFE.as_secs()
    )
}

fn identity_finding(grant: &AwsGrant, lookup: &Lookup) -> Finding {
    let name = &grant.spec.identity;
    let of = |status, reason, message| finding(IDENTITY_READY, status, reason, message);
    match lookup {
        Lookup::Ready { rule, .. } | Lookup::Invalid { rule, .. } => of(
            Some(true),
            reason::ALLOWED,
            format!("spec.allow[{rule}] of AwsIdentity {name:?} allows the grant"),
        ),
        Lookup::Missing => of(
            Some(false),
            reason::IDENTITY_NOT_FOUND,
            format!("there is no AwsIdentity {name:?}"),
        ),
        Lookup::NotSeenYet => of(
            None,
            reason::PENDING,
            format!("AwsIdentity {name:?} has not been checked yet"),
        ),
        Lookup::NotReady(why) => of(Some(false), reason::IDENTITY_NOT_READY, why.clone()),
        Lookup::Denied(why) => of(Some(false), reason::NOT_ALLOWED, why.clone()),
    }
}

fn finding(
    type_: &'static str,
    status: Option<bool>,
    reason: &'static str,
    message: String,
) -> Finding {
    Finding {
        type_,
        status,
        reason,
        message,
    }
}

#[cfg(test)]
mod tests {
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
}
