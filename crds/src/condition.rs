//! Types and reasons of conditions, and how a condition changes.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// `AwsGrant`: a session that is served. `AwsIdentity`: AWS knows the caller.
pub const READY: &str = "Ready";
/// `AwsGrant`: the identity is there, ready, and allows the grant.
pub const IDENTITY_READY: &str = "IdentityReady";
/// `AwsGrant`: the last renewal succeeded.
pub const REFRESHED: &str = "Refreshed";

/// `AwsGrant` with `serviceAccounts`: nobody else in the namespace can have its session.
pub const SERVICE_ACCOUNTS_ENFORCED: &str = "ServiceAccountsEnforced";

/// `AwsGrant` whose sessions are revoked: AWS denies those that are out, too. Absent where nobody asked for it.
pub const REVOKED_AT_AWS: &str = "RevokedAtAws";

/// All of an `AwsGrant` that tell of its session, the one that people ask for first.
pub const OF_SESSIONS: [&str; 3] = [READY, REFRESHED, IDENTITY_READY];

/// Whether each look at an `AwsGrant` writes the condition anew.
#[must_use]
pub fn is_written_at_each_look(type_: &str) -> bool {
    OF_SESSIONS.contains(&type_) || type_ == SERVICE_ACCOUNTS_ENFORCED
}

/// Reasons, which are also the events' reasons and the metrics' `reason` label.
pub mod reason {
    /// A session is in the Secret.
    pub const ISSUED: &str = "Issued";
    /// AWS said who the identity is.
    pub const IDENTIFIED: &str = "Identified";
    /// The identity allows the grant.
    pub const ALLOWED: &str = "Allowed";
    /// The broker gives each pod a session.
    pub const BROKERED: &str = "Brokered";
    /// `spec.store` is Broker, and the installation has no broker.
    pub const BROKER_DISABLED: &str = "BrokerDisabled";
    /// `spec.store` says another place than the one that a pod asks.
    pub const STORE_CHANGED: &str = "StoreChanged";
    /// There is no grant of that name. Of the broker alone.
    pub const GRANT_NOT_FOUND: &str = "GrantNotFound";
    /// The pod is gone, or has ended. Of the broker alone.
    pub const POD_GONE: &str = "PodGone";
    /// The grant is not for the pod's service account. Of webhook and broker.
    pub const SERVICE_ACCOUNT_NOT_ALLOWED: &str = "ServiceAccountNotAllowed";
    /// The grant is not for the pod's delivery. Of webhook and broker.
    pub const DELIVERY_NOT_ALLOWED: &str = "DeliveryNotAllowed";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
    /// The grant was deleted.
    pub const DELETED: &str = "Deleted";
    /// No `AwsIdentity` of that name.
    pub const IDENTITY_NOT_FOUND: &str = "IdentityNotFound";
    /// The identity's own condition says why.
    pub const IDENTITY_NOT_READY: &str = "IdentityNotReady";
    /// No allow rule of the identity covers the grant.
    pub const NOT_ALLOWED: &str = "NotAllowed";
    /// The grant's annotation `alter.dev/revoke-before` drops the session.
    pub const REVOKED: &str = "Revoked";
    /// A policy on the grant's role denies sessions from before the time.
    pub const DENIED_BY_POLICY: &str = "DeniedByPolicy";
    /// The identity names no role for revocations, so that AWS was not told.
    pub const NO_REVOCATION_ROLE: &str = "NoRevocationRole";
    /// The role for revocations is of another account or partition than the grant's role.
    pub const OTHER_ACCOUNT: &str = "OtherAccount";
    /// Sessions carry no tags that tell them from others of their role, and the role may not be cut off as a whole.
    pub const NEEDS_WHOLE_ROLE: &str = "NeedsWholeRole";
    /// The grant's sessions are of no role, on which a policy could be.
    pub const NO_ROLE: &str = "NoRole";
    /// The policy on the role cannot be edited: somebody changed it, or the role takes no more.
    pub const ROLE_POLICY_REFUSED: &str = "RolePolicyRefused";
    /// A grant that a pod names cannot be read. Of the webhook alone.
    pub const INVALID_GRANT: &str = "InvalidGrant";
    /// A field of the spec cannot be used; the message names it.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// An object of the Secret's name exists and is not the grant's.
    pub const SECRET_CONFLICT: &str = "SecretConflict";
    /// The API server refused or failed a write.
    pub const SECRET_WRITE_FAILED: &str = "SecretWriteFailed";
    /// Something keeps making new sessions due: the next waits.
    pub const TOO_MANY_ISSUES: &str = "TooManyIssues";
    /// What the identity's credentials come from is missing, cannot be read, or may not be used: its Secret,
    /// its service account.
    pub const SOURCE_NOT_FOUND: &str = "SourceNotFound";
    /// The identity's certificate is not valid yet or no longer, or is not to be read.
    pub const INVALID_CERTIFICATE: &str = "InvalidCertificate";
    /// The identity is an account's root user, through which nothing is issued.
    pub const ROOT_USER: &str = "RootUser";
    /// AWS throttles.
    pub const THROTTLED: &str = "Throttled";
    /// AWS cannot be reached, or fails.
    pub const UNAVAILABLE: &str = "Unavailable";
    /// AWS denies the call.
    pub const ACCESS_DENIED: &str = "AccessDenied";
    /// AWS refuses the source credentials: expired, deleted, or wrongly signed.
    pub const SOURCE_REJECTED: &str = "SourceRejected";
    /// AWS refuses a parameter.
    pub const INVALID_INPUT: &str = "InvalidInput";
    /// AWS refuses session policy and tags: packed together they are too large.
    pub const PACKED_POLICY_TOO_LARGE: &str = "PackedPolicyTooLarge";
    /// The session rests in a Secret, which the namespace shares.
    pub const NAMESPACE_SHARED: &str = "NamespaceShared";
    /// The session expired, and no new one was to be had.
    pub const EXPIRED: &str = "Expired";
    /// No pod uses the grant: its session is not renewed until one comes.
    pub const PAUSED: &str = "Paused";
    /// An annotated pod runs without Alter's agent. Of events of pods alone.
    pub const AGENT_MISSING: &str = "AgentMissing";
    /// An annotated pod was evicted, as it ran without Alter's agent. Of events of pods alone.
    pub const ORPHAN_EVICTED: &str = "OrphanEvicted";
    /// Nothing is decided yet: the identity is being looked at, or the session waits for its turn.
    pub const PENDING: &str = "Pending";
}

/// A condition as one pass found it; [`merge`] decides whether it is a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One of the types above.
    pub type_: &'static str,
    /// `None` is `Unknown`.
    pub status: Option<bool>,
    /// One of [`reason`].
    pub reason: &'static str,
    /// For people: what happened, and what to do next.
    pub message: String,
}

/// Merges findings into conditions: the transition time changes only with the status, and conditions
/// that this pass did not look at stay.
#[must_use]
pub fn merge(
    old: &[Condition],
    findings: Vec<Finding>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut conditions = old.to_vec();
    for finding in findings {
        let status = match finding.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let at = conditions
            .iter()
            .position(|condition| condition.type_ == finding.type_);
        let last_transition_time = at
            .map(|at| &conditions[at])
            .filter(|condition| condition.status == status)
            .map_or(Time(now), |condition| {
                condition.last_transition_time.clone()
            });
        let condition = Condition {
            type_: finding.type_.to_owned(),
            status: status.to_owned(),
            reason: finding.reason.to_owned(),
            message: finding.message,
            observed_generation: generation,
            last_transition_time,
        };
        match at {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
    }
    conditions
}

/// The condition of that type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of that type holds, as in [`Finding::status`]; none also where it is absent.
#[must_use]
pub fn status(conditions: &[Condition], type_: &str) -> Option<bool> {
    match find(conditions, type_)?.status.as_str() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// Whether the condition of that type is `True`.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    status(conditions, type_) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: bool, message: &str) -> Finding {
        Finding {
            type_: READY,
            status: Some(status),
            reason: reason::ISSUED,
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_transition_time_changes_with_the_status_alone() {
        let at = |second| Timestamp::new(second, 0).unwrap();
        let first = merge(&[], vec![ready(true, "a")], Some(1), at(1));
        let second = merge(&first, vec![ready(true, "b")], Some(2), at(2));
        assert_eq!(second[0].last_transition_time, Time(at(1)));
        assert_eq!(
            (second[0].message.as_str(), second[0].observed_generation),
            ("b", Some(2))
        );
        let third = merge(&second, vec![ready(false, "c")], Some(2), at(3));
        assert_eq!(third[0].last_transition_time, Time(at(3)));
        assert_eq!(third.len(), 1);
        assert!(is_true(&second, READY) && !is_true(&third, READY));
    }

    #[test]
    fn unknown_and_absent_hold_as_little_as_they_fail() {
        let unknown = Finding {
            status: None,
            ..ready(true, "")
        };
        let all = merge(&[], vec![unknown], None, Timestamp::UNIX_EPOCH);
        assert_eq!(all[0].status, "Unknown");
        assert_eq!((status(&all, READY), status(&all, REFRESHED)), (None, None));
        let all = merge(&all, vec![ready(false, "")], None, Timestamp::UNIX_EPOCH);
        assert_eq!(status(&all, READY), Some(false));
    }
}
