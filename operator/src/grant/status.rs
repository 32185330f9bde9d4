//! A grant's status: what a plan and its outcome mean to those who read it.

use super::plan::Left;
use crate::{clock::whole_seconds, session_secret::Served};
use alter_crds::{
    AwsGrant, AwsGrantStatus,
    condition::{
        self, Finding, IDENTITY_READY, READY, REFRESHED, SERVICE_ACCOUNTS_ENFORCED, reason,
    },
    grant::Store,
    session::SessionKind,
};
use alter_issuer::lookup::Lookup;
use alter_policy::{refresh::SHORT_LIFE, revoke};
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
    /// Pods get sessions from the broker.
    Brokered,
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
    let accounts = accounts_finding(grant);
    let mut old_conditions = old.conditions;
    if accounts.is_none() {
        old_conditions.retain(|own| own.type_ != SERVICE_ACCOUNTS_ENFORCED);
    }
    findings.extend(accounts);
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
        View::TakenAway { .. } | View::Held { .. } | View::Brokered | View::Refused { .. } => {
            (None, None)
        }
    };
    AwsGrantStatus {
        conditions: condition::merge(&old_conditions, findings, generation, now),
        observed_generation: generation,
        assumed_role_arn: served.map(|own| own.assumed_role_arn.clone()),
        access_key_id: served.map(|own| own.access_key_id.clone()),
        expiration: served.map(|own| Time(own.expiration)),
        last_refresh: served.map(|own| Time(own.issued_at)),
        next_refresh: next.map(whole_seconds),
        // What is left of a Secret from before the change of store holds no session.
        secret_name: (has_secret && !matches!(view, View::Brokered)).then(|| grant.secret_name()),
        revoked_before: revoked_before(grant, served, now).or(old.revoked_before),
        denied_before: old.denied_before,
        // What pods tell is no part of how the session stands.
        orphaned_pods: None,
        unused_since: None,
    }
}

/// The annotation's time, once no session from before is served.
fn revoked_before(grant: &AwsGrant, served: Option<&Served>, now: Timestamp) -> Option<Time> {
    let cut = grant.revoke_before().ok().flatten()?;
    let is_done = cut <= now && served.is_none_or(|own| !revoke::drops(cut, own.issued_at, now));
    is_done.then(|| whole_seconds(cut))
}

fn own_findings(grant: &AwsGrant, view: &View<'_>) -> Vec<Finding> {
    let role = grant.spec.role_name();
    match view {
        View::Serving { served, .. } => vec![
            finding(READY, Some(true), reason::ISSUED, serving(grant, served)),
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
        View::Brokered => vec![
            finding(READY, Some(true), reason::BROKERED, brokered(role)),
            finding(
                REFRESHED,
                None,
                reason::BROKERED,
                "the broker renews each pod's session".to_owned(),
            ),
        ],
        View::Held {
            reason,
            message,
            left,
            ..
        } => {
            let status = (*reason != reason::PENDING).then_some(false);
            // To renew what nobody uses has not failed.
            let refreshed = status.filter(|_| *reason != reason::PAUSED);
            vec![
                held(role, reason, message, *left, status),
                finding(REFRESHED, refreshed, reason, (*message).to_owned()),
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
            finding(READY, Some(false), ended(why), text)
        }
        Left::Nothing => finding(READY, status, why, message.to_owned()),
    }
}

/// Why there is nothing, where the last session has expired.
pub(crate) fn ended(why: &'static str) -> &'static str {
    if why == reason::PAUSED {
        reason::PAUSED
    } else {
        reason::EXPIRED
    }
}

fn brokered(role: &str) -> String {
    format!(
        "the broker gives each pod that asks a session of {role}; what AWS says to that is in the pod's events and in \
         the log of its agent"
    )
}

/// What AWS leaves of a session by `GetSessionToken`.
const FULL: &str = "; nothing of the grant confines or names it: it may do all that the user may, but call IAM \
                    (AWS wants MFA for that) or more of STS than AssumeRole and GetCallerIdentity";

fn serving(grant: &AwsGrant, served: &Served) -> String {
    let life = served.expiration.duration_since(served.issued_at);
    let limits = match grant.spec.session_kind() {
        SessionKind::Full => FULL,
        SessionKind::Role | SessionKind::Federated => "",
    };
    let text = format!("a session of {} is served{limits}", grant.spec.role_name());
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

/// What a Secret cannot promise of `serviceAccounts`, and the broker can; none where the grant has none.
fn accounts_finding(grant: &AwsGrant) -> Option<Finding> {
    if grant.spec.service_accounts.is_empty() {
        return None;
    }
    if grant.spec.store == Store::Broker {
        let text = "the broker gives sessions to pods that run as one of spec.serviceAccounts alone: to have one takes \
                    the right to create such a pod in this namespace, to exec into one (with delivery imds also to \
                    forward a port to it), or to make tokens of such an account while a pod of it runs; the \
                    built-in role edit has all of these";
        let (status, reason) = (Some(true), reason::BROKERED);
        let text = text.to_owned();
        return Some(finding(SERVICE_ACCOUNTS_ENFORCED, status, reason, text));
    }
    let text = "webhook and agent keep other service accounts' pods from the session, and nobody keeps those \
                from it who may read Secrets, create pods or exec in this namespace: the namespace is the \
                boundary; put workloads that must not share it into namespaces of their own";
    let (status, reason) = (Some(false), reason::NAMESPACE_SHARED);
    Some(finding(
        SERVICE_ACCOUNTS_ENFORCED,
        status,
        reason,
        text.to_owned(),
    ))
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
#[path = "status_tests.rs"]
mod tests;
