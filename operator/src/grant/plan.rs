//! What is to be done about a grant: decided over plain values, without a clock or a cluster.

use super::waits;
use crate::{
    failures::Failure,
    session_secret::{Facts, Served},
};
use alter_crds::{AwsGrantSpec, condition::reason, grant::Store, names};
use alter_issuer::lookup::Lookup;
use alter_policy::{refresh, revoke, spread::spread};
use alter_protocol::session::rfc3339;
use jiff::{SignedDuration, Timestamp};

/// What the plan is made from.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    /// The grant's spec.
    pub spec: &'a AwsGrantSpec,
    /// The grant's UID.
    pub uid: &'a str,
    /// Whether the grant, or its namespace, is being deleted.
    pub deleting: bool,
    /// What its identity says.
    pub identity: &'a Lookup,
    /// What stands under the Secret's name.
    pub secret: &'a Existing,
    /// The last failure to issue, where nothing has changed since.
    pub failure: Option<&'a Failure>,
    /// When the grant may have another session, if its allowance is used up.
    pub issue_at: Option<Timestamp>,
    /// When to ask again, if too many ask the identity for a session just now.
    pub turn_at: Option<Timestamp>,
    /// Sessions from before this are to be dropped.
    pub revoke_before: Option<Timestamp>,
    /// Since when no pod has used the grant, where it pauses for that.
    pub paused_since: Option<Timestamp>,
    /// Until when, by the grant's own status, a session is out.
    pub reported_until: Option<Timestamp>,
    /// Sessions are not renewed more often than this.
    pub min_interval: SignedDuration,
    /// Whether the installation has a broker.
    pub has_broker: bool,
    /// The time.
    pub now: Timestamp,
}

/// What stands under the Secret's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Nothing.
    Absent,
    /// The grant's own Secret.
    Own(Facts),
    /// Alter's, of a grant that is gone: to be taken over.
    Leftover,
    /// Someone else's; says why.
    Foreign(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Obtain a session and write it.
    Issue(Why),
    /// The session is fresh until then.
    Wait {
        /// When it is to be renewed.
        until: Timestamp,
    },
    /// Nothing may be served.
    TakeAway {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: String,
        /// Whether the Secret does not say so yet.
        write: bool,
    },
    /// Nothing may be served, but the Secret could not be written: what is there is served still.
    NotTakenAway {
        /// For people.
        message: String,
        /// When to try again.
        retry_at: Timestamp,
    },
    /// No session is to be had; what is there is served until it expires.
    Hold {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: String,
        /// What is there.
        left: Left,
        /// When to try again, where that does not hang on a change.
        retry_at: Option<Timestamp>,
    },
    /// Pods get sessions from the broker.
    Brokered {
        /// Whether a session from before the change of store is still in the Secret.
        clear: bool,
    },
    /// The Secret is not the grant's: nothing is touched.
    Refuse {
        /// For people.
        message: String,
    },
}

/// Why a session is to be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// There was none.
    First,
    /// It is time.
    Due,
    /// What the session is made from changed.
    Changed,
    /// It had been taken away.
    Restored,
}

/// What is left of the last session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// A session that is served until then.
    Until(Timestamp),
    /// A session that expired then, whose keys are still in the Secret.
    Stale(Timestamp),
    /// A session that expired then; its keys are gone.
    Expired(Timestamp),
}

/// Decides.
pub(crate) fn plan(input: &Input<'_>) -> Plan {
    let failure = input.failure.filter(|own| input.now < own.retry_at);
    if let Some((reason, message)) = taken_away(input) {
        let write = must_be_told(input, reason);
        // What AWS answered never holds up taking away.
        let unwritten = failure.filter(|own| write && own.is_of_a_write());
        return unwritten.map_or(
            Plan::TakeAway {
                reason,
                message,
                write,
            },
            not_taken_away,
        );
    }
    if input.spec.store == Store::Broker {
        return brokered(input, failure);
    }
    if let Existing::Foreign(why) = input.secret {
        return Plan::Refuse {
            message: why.clone(),
        };
    }
    if let Some((reason, message)) = hindrance(input) {
        return hold(input.secret, reason, message, None, input.now);
    }
    if let Some(at) = too_close(input) {
        let message = "the session was dropped a moment ago: a new one comes".to_owned();
        return hold(input.secret, reason::REVOKED, message, Some(at), input.now);
    }
    let due = due(input);
    // What is there is still of the spec as it is.
    if let Some(since) = input.paused_since.filter(|_| due != Err(Why::Changed)) {
        let message = waits::paused(input.spec, since);
        return hold(input.secret, reason::PAUSED, message, None, input.now);
    }
    let why = match due {
        Ok(until) => return Plan::Wait { until },
        Err(why) => why,
    };
    if let Some(failure) = failure {
        return failed(input.secret, failure, input.now);
    }
    // Attempts that are repeated have their backoff.
    let issue_at = input.issue_at.filter(|_| input.failure.is_none());
    let (reason, message, at) = match (issue_at, input.turn_at) {
        (Some(at), _) => (reason::TOO_MANY_ISSUES, waits::too_many(why, at), at),
        (None, Some(at)) => (reason::PENDING, waits::crowded(&input.spec.identity), at),
        (None, None) => return Plan::Issue(why),
    };
    hold(input.secret, reason, message, Some(at), input.now)
}

/// Whatever the identity says, a session from before the change of store goes.
fn brokered(input: &Input<'_>, failure: Option<&Failure>) -> Plan {
    let served = matches!(input.secret, Existing::Own(facts) if facts.revoked.is_none());
    if served {
        let unwritten = failure.filter(|own| own.is_of_a_write());
        return unwritten.map_or(Plan::Brokered { clear: true }, not_taken_away);
    }
    match hindrance(input) {
        Some((reason, message)) => hold(&Existing::Absent, reason, message, None, input.now),
        None => Plan::Brokered { clear: false },
    }
}

/// What follows when the Secret of a session that may not be served could not be written.
pub(crate) fn not_taken_away(failure: &Failure) -> Plan {
    Plan::NotTakenAway {
        message: format!("the session was not taken away: {}", failure.message),
        retry_at: failure.retry_at,
    }
}

/// What follows when a session was not to be had.
pub(crate) fn failed(secret: &Existing, failure: &Failure, now: Timestamp) -> Plan {
    hold(
        secret,
        failure.reason,
        failure.message.clone(),
        Some(failure.retry_at),
        now,
    )
}

fn taken_away(input: &Input<'_>) -> Option<(&'static str, String)> {
    if input.deleting {
        let message = "the grant is being deleted".to_owned();
        return Some((reason::DELETED, message));
    }
    if input.spec.suspend {
        let message = "spec.suspend is true: set it to false to have a session again".to_owned();
        return Some((reason::SUSPENDED, message));
    }
    if let Lookup::Denied(message) = input.identity {
        return Some((reason::NOT_ALLOWED, message.clone()));
    }
    if input.spec.store == Store::Broker && !input.has_broker {
        let message = "spec.store is Broker, and this installation has no broker: write Secret, or ask the platform \
                       team to set broker.enabled in the chart's values"
            .to_owned();
        return Some((reason::BROKER_DISABLED, message));
    }
    let cut = input.revoke_before?;
    served(input.secret).filter(|own| revoke::drops(cut, own.issued_at, input.now))?;
    let message = format!(
        "sessions from before {} are dropped, as annotation {} says: a new one comes",
        rfc3339(cut),
        names::grant::REVOKE_BEFORE
    );
    Some((reason::REVOKED, message))
}

/// When a session can be told from those that were just dropped, if that is still to come.
fn too_close(input: &Input<'_>) -> Option<Timestamp> {
    let earliest = revoke::earliest(input.revoke_before.filter(|cut| *cut <= input.now)?);
    (input.now < earliest).then_some(earliest)
}

fn served(secret: &Existing) -> Option<&Served> {
    match secret {
        Existing::Own(facts) => facts.served.as_ref(),
        Existing::Absent | Existing::Leftover | Existing::Foreign(_) => None,
    }
}

/// A Secret that someone removed under a living session comes back to say that it was taken away: the
/// kubelet goes on showing pods the files of a Secret that is gone.
fn must_be_told(input: &Input<'_>, reason: &str) -> bool {
    match input.secret {
        Existing::Own(facts) => {
            facts.revoked.as_ref().map(|own| own.reason.as_str()) != Some(reason)
        }
        Existing::Absent => {
            !input.deleting && input.reported_until.is_some_and(|at| input.now < at)
        }
        Existing::Leftover | Existing::Foreign(_) => false,
    }
}

fn hindrance(input: &Input<'_>) -> Option<(&'static str, String)> {
    let name = &input.spec.identity;
    match input.identity {
        Lookup::Missing => Some((
            reason::IDENTITY_NOT_FOUND,
            format!(
                "there is no AwsIdentity {name:?}: correct spec.identity, or ask the platform team to create it"
            ),
        )),
        Lookup::NotSeenYet => Some((
            reason::PENDING,
            format!("AwsIdentity {name:?} has not been checked yet"),
        )),
        Lookup::NotReady(why) => Some((
            reason::IDENTITY_NOT_READY,
            format!("AwsIdentity {name:?} is not ready: {why}"),
        )),
        Lookup::Invalid { message, .. } => Some((reason::INVALID_SPEC, message.clone())),
        Lookup::Denied(_) | Lookup::Ready { .. } => None,
    }
}

/// `Ok` with the time of the next renewal, or why a session is due now.
fn due(input: &Input<'_>) -> Result<Timestamp, Why> {
    let Existing::Own(facts) = input.secret else {
        return Err(Why::First);
    };
    if facts.revoked.is_some() {
        return Err(Why::Restored);
    }
    let served = facts.served.as_ref().filter(|own| own.is_of(input.now));
    let served = served.ok_or(Why::Changed)?;
    if let Lookup::Ready { digest, .. } = input.identity
        && *digest != served.digest
    {
        return Err(Why::Changed);
    }
    let at = refresh_at(input.spec, input.uid, served, input.min_interval);
    // One that is to be dropped in time to come.
    let cut = input.revoke_before.filter(|cut| input.now < *cut);
    let at = cut.map_or(at, |cut| at.min(cut));
    if input.now < at {
        Ok(at)
    } else {
        Err(Why::Due)
    }
}

/// When a session is renewed. The spread hangs on grant and session alone, so that a restart decides the
/// same.
pub(crate) fn refresh_at(
    spec: &AwsGrantSpec,
    uid: &str,
    served: &Served,
    min_interval: SignedDuration,
) -> Timestamp {
    let life = served.expiration.duration_since(served.issued_at);
    // One that cannot be read is refused before a session is issued.
    let asked = spec.refresh_before().ok().flatten();
    let before = refresh::refresh_before(life, asked, min_interval);
    refresh::refresh_at(
        served.issued_at,
        served.expiration,
        before,
        spread(uid, &served.expiration.as_second().to_be_bytes()),
    )
}

fn hold(
    secret: &Existing,
    reason: &'static str,
    message: String,
    retry_at: Option<Timestamp>,
    now: Timestamp,
) -> Plan {
    Plan::Hold {
        reason,
        message,
        left: left(secret, now),
        retry_at,
    }
}

fn left(secret: &Existing, now: Timestamp) -> Left {
    let Existing::Own(facts) = secret else {
        return Left::Nothing;
    };
    let served = facts.served.as_ref().filter(|own| own.is_of(now));
    match (served, &facts.revoked) {
        (Some(served), _) if now < served.expiration => Left::Until(served.expiration),
        (Some(served), _) => Left::Stale(served.expiration),
        (None, Some(revoked)) => revoked.expiration.map_or(Left::Nothing, Left::Expired),
        (None, None) => Left::Nothing,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
