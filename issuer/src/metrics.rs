//! What the issuer counts.

use crate::error;
use alter_aws::Class;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::time::Duration;

/// The outcome of calls that brought what was asked for; of others it is the reason of the condition.
pub const SUCCESS: &str = "Success";

/// The calls of AWS that the issuer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Operation {
    /// Issues a session of a role, for a grant or on the way to one.
    AssumeRole,
    /// Issues a confined session of the identity's own user.
    GetFederationToken,
    /// Issues a session of the identity's own user.
    GetSessionToken,
    /// Enters the identity's own role by a token.
    AssumeRoleWithWebIdentity,
    /// Enters it by a certificate: of Roles Anywhere, and on the same budget.
    CreateSession,
    /// Issues none.
    GetCallerIdentity,
    /// Of IAM, and on the same budget: reads the policy that denies revoked sessions.
    GetRolePolicy,
    /// Of IAM, and on the same budget: writes it.
    PutRolePolicy,
    /// Of IAM, and on the same budget: removes it.
    DeleteRolePolicy,
}

/// Counts and times of STS calls. A clone counts into the same.
#[derive(Clone)]
pub struct Metrics {
    calls: Family<CallLabels, Counter>,
    durations: Family<OperationLabels, Histogram>,
    waits: Family<IdentityLabels, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    identity: String,
    operation: Operation,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: Operation,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IdentityLabels {
    identity: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            // 10 ms to 20 s, as STS answers and gives up.
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.01, 2.0, 12))
            }),
            // 1 ms to 65 s.
            waits: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 9))
            }),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a program's registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "sts_calls",
            "Calls of STS that were answered or given up, by identity, operation and outcome",
            self.calls.clone(),
        );
        registry.register_with_unit(
            "sts_call_duration",
            "How long calls of STS took",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register_with_unit(
            "sts_budget_wait",
            "How long calls of STS waited for the identity's budget",
            Unit::Seconds,
            self.waits.clone(),
        );
    }

    pub(crate) fn waited(&self, identity: &str, wait: Duration) {
        let labels = IdentityLabels {
            identity: identity.to_owned(),
        };
        self.waits
            .get_or_create(&labels)
            .observe(wait.as_secs_f64());
    }

    pub(crate) fn called(
        &self,
        identity: &str,
        operation: Operation,
        failed: Option<Class>,
        took: Duration,
    ) {
        let labels = CallLabels {
            identity: identity.to_owned(),
            operation,
            outcome: failed.map_or(SUCCESS, error::reason),
        };
        self.calls.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&OperationLabels { operation })
            .observe(took.as_secs_f64());
    }
}
