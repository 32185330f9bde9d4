//! Whether AWS is to be told of a revocation, and what a grant's status says about it: decided over plain values.

use crate::failures::Failure;
use alter_crds::{
    AwsGrantStatus,
    condition::{self, Finding, REVOKED_AT_AWS, reason},
    names::grant::REVOKE_BEFORE,
    revocation::{NotTold, Order},
};
use alter_issuer::lookup::Lookup;
use alter_policy::{
    allowance::SESSIONS_AT_ONCE,
    revocation::{is_alive, second},
};
use alter_protocol::session::rfc3339;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// What the plan is made from.
pub(crate) struct Input<'a> {
    /// Sessions from before this are to be denied, as the grant's annotation says.
    pub cut: Option<Timestamp>,
    /// AWS denies those from before this, by the grant's own status.
    pub denied: Option<Timestamp>,
    /// What the grant's identity says about it.
    pub identity: &'a Lookup,
    /// What AWS is to be told; none where the identity cannot be read.
    pub order: Option<&'a Result<Order, NotTold>>,
    /// What this process did about it.
    pub attempt: Option<&'a Attempt>,
    /// When AWS may be told, if the grant's allowance is used up.
    pub next: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// What this process did about a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// AWS is being told.
    Underway,
    /// AWS was told; what the status says.
    Done(String),
    /// AWS could not be told.
    Failed(Failure),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing, and nothing is said.
    Unasked,
    /// Nothing: what the status says holds.
    Stands,
    /// Nothing before then.
    Ahead(Timestamp),
    /// AWS is to be told.
    Tell,
    /// AWS is being told.
    Underway,
    /// AWS was told just now.
    Done {
        /// Sessions from before this are denied.
        cut: Timestamp,
        /// For people.
        message: String,
    },
    /// Every session from before has ended by itself.
    Over(Timestamp),
    /// AWS was not told.
    NotTold {
        /// A condition's reason.
        reason: &'static str,
        /// For people.
        message: String,
        /// When to try again, where that does not hang on a change.
        retry_at: Option<Timestamp>,
    },
}

/// Decides. Each time is acted on once, and an earlier one than AWS knows is none to act on.
pub(crate) fn plan(input: &Input<'_>) -> Plan {
    let Some(cut) = input.cut else {
        return Plan::Unasked;
    };
    if input.now < cut {
        return Plan::Ahead(cut);
    }
    if input.denied.is_some_and(|at| second(cut) <= at) {
        return Plan::Stands;
    }
    if let Some(Attempt::Done(message)) = input.attempt {
        let message = message.clone();
        return Plan::Done { cut, message };
    }
    if !is_alive(cut, input.now) {
        return Plan::Over(cut);
    }
    if input.attempt == Some(&Attempt::Underway) {
        return Plan::Underway;
    }
    let not_told = |reason, why: &str| Plan::NotTold {
        reason,
        message: format!("AWS was not told: {why}"),
        retry_at: None,
    };
    match input.identity {
        Lookup::Missing => {
            let why = "there is no such AwsIdentity; correct spec.identity";
            return not_told(reason::IDENTITY_NOT_FOUND, why);
        }
        Lookup::NotSeenYet => return Plan::Stands,
        Lookup::NotReady(why) => return not_told(reason::IDENTITY_NOT_READY, why),
        // Whoever may write a grant may name any role in it.
        Lookup::Denied(why) => {
            let why = format!("{why}; or put the deny on the role by hand");
            return not_told(reason::NOT_ALLOWED, &why);
        }
        Lookup::Invalid { .. } | Lookup::Ready { .. } => {}
    }
    match (input.order, input.attempt) {
        (None, _) => Plan::Stands,
        (Some(Err(error)), _) => Plan::NotTold {
            reason: error.category(),
            message: error.to_string(),
            retry_at: None,
        },
        (Some(Ok(_)), Some(Attempt::Failed(failure))) if input.now < failure.retry_at => {
            Plan::NotTold {
                reason: failure.reason,
                message: format!("AWS was not told: {}", failure.message),
                retry_at: Some(failure.retry_at),
            }
        }
        (Some(Ok(_)), None) => input.next.map_or(Plan::Tell, too_many),
        (Some(Ok(_)), Some(_)) => Plan::Tell,
    }
}

fn too_many(at: Timestamp) -> Plan {
    Plan::NotTold {
        reason: reason::TOO_MANY_ISSUES,
        message: format!(
            "more than {SESSIONS_AT_ONCE} revocations in a short while, as annotation {REVOKE_BEFORE} keeps changing: find who does that; AWS \
             is told of the next at {}",
            rfc3339(at)
        ),
        retry_at: Some(at),
    }
}

impl Plan {
    /// How long it is until there is something to do without a change.
    pub(crate) fn wait(&self, now: Timestamp) -> Duration {
        match self {
            Self::Ahead(at)
            | Self::NotTold {
                retry_at: Some(at), ..
            } => crate::clock::until(*at, now),
            _ => Duration::MAX,
        }
    }

    /// Writes it into a status that holds what the last one said.
    pub(crate) fn tell(
        &self,
        status: &mut AwsGrantStatus,
        generation: Option<i64>,
        now: Timestamp,
    ) {
        if *self == Self::Unasked {
            status.conditions.retain(|own| own.type_ != REVOKED_AT_AWS);
            status.denied_before = None;
            return;
        }
        if let Self::Done { cut, .. } = self {
            status.denied_before = Some(Time(second(*cut)));
        }
        let failed = condition::status(&status.conditions, REVOKED_AT_AWS) == Some(false);
        // A failure stands while it is tried again.
        let findings = self.finding().filter(|own| !failed || own.status.is_some());
        let findings = findings.into_iter().collect();
        status.conditions = condition::merge(&status.conditions, findings, generation, now);
    }

    fn finding(&self) -> Option<Finding> {
        let (status, reason, message) = match self {
            Self::Unasked | Self::Stands | Self::Ahead(_) => return None,
            Self::Tell | Self::Underway => {
                let text = "AWS is being told to deny sessions from before".to_owned();
                (None, reason::PENDING, text)
            }
            Self::Done { message, .. } => (Some(true), reason::DENIED_BY_POLICY, message.clone()),
            Self::Over(cut) => {
                let text = format!(
                    "every session from before {} has expired by now: there is nothing to tell AWS",
                    rfc3339(*cut)
                );
                (Some(true), reason::EXPIRED, text)
            }
            Self::NotTold {
                reason, message, ..
            } => (Some(false), *reason, message.clone()),
        };
        Some(Finding {
            type_: REVOKED_AT_AWS,
            status,
            reason,
            message,
        })
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
