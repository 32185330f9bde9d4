//! Why no rule of an identity allows what a grant asks for, and whom to ask for what.

use crate::arn::RoleArnError;

/// Why no rule allows a request. `rule` counts from zero, as in `spec.allow[0]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A role is no role.
    #[error("{place}: {source}")]
    RoleArn {
        /// The field.
        place: String,
        /// What is wrong with it.
        source: RoleArnError,
    },
    /// No rule names the namespace.
    #[error(
        "no allow rule of the identity names namespace {namespace:?}: ask the platform team for one"
    )]
    Namespace {
        /// The grant's namespace.
        namespace: String,
    },
    /// Rules name the namespace, but none of them the role.
    #[error("{place}: {role_arn} is not among the roles that {} of the identity allows namespace {namespace:?} there: ask for one of those, or for this one in {} of a rule", places(.rules), field_for(.place))]
    Role {
        /// The field with the role.
        place: String,
        /// The grant's namespace.
        namespace: String,
        /// The role asked for.
        role_arn: String,
        /// The rules that name the namespace.
        rules: Vec<usize>,
    },
    /// A role to pass through, as the role of the session.
    #[error("roleArn: {role_arn} is a role that chainArns of {} of the identity let grants pass through and not have: write it into roleChain, and as roleArn the role behind it; or ask for it in roleArns of a rule", places(.rules))]
    PassedThrough {
        /// The role asked for.
        role_arn: String,
        /// The rules that name the namespace.
        rules: Vec<usize>,
    },
    /// A role that Alter itself works as.
    #[error(
        "{place}: {role_arn} is a role of the identity's own, which no pattern gives by a *: ask for one of the namespace's roles, or for this one to be written out in {} of a rule",
        field_for(.place)
    )]
    OwnRole {
        /// The field with the role.
        place: String,
        /// The role asked for.
        role_arn: String,
    },
    /// Each role is named by a rule, and all of them by none.
    #[error("roleChain: none of {} of the identity names roleArn in its roleArns and every role of the chain in its chainArns or roleArns, and rules are not combined: ask for one rule that does", places(.rules))]
    Chain {
        /// The rules that name the namespace.
        rules: Vec<usize>,
    },
    /// No role, and no rule that gives sessions without one.
    #[error("roleArn: it is missing, and {} of the identity gives namespace {namespace:?} no session without a role: write one, or ask for identitySession on a rule", places(.rules))]
    NoRole {
        /// The grant's namespace.
        namespace: String,
        /// The rules that name the namespace.
        rules: Vec<usize>,
    },
    /// No role and no policy, where the rule wants one.
    #[error(
        "roleArn: it is missing, and spec.allow[{rule}] of the identity gives sessions without a role only with a session policy (identitySession: Federated): write bedrock, policy or policyArns, or a role"
    )]
    PolicyMissing {
        /// The rule that came nearest.
        rule: usize,
    },
    /// A policy where AWS takes none.
    #[error(
        "roleArn: it is missing, and spec.allow[{rule}] of the identity gives sessions without a role as AWS gives them, which no session policy confines (identitySession: Full): remove bedrock, policy and policyArns, ask for identitySession: Federated, or write a role"
    )]
    PolicyRefused {
        /// The rule that came nearest.
        rule: usize,
    },
    /// The session would live too long.
    #[error(
        "durationSeconds: {asked} is more than the {limit} that spec.allow[{rule}] of the identity allows: write {limit} or less"
    )]
    Duration {
        /// The rule that came nearest.
        rule: usize,
        /// In seconds.
        asked: i32,
        /// In seconds.
        limit: i32,
    },
    /// A tag that the rule does not hand over.
    #[error(
        "tags: {key:?} is not among the tagKeys of spec.allow[{rule}] of the identity: remove it, or ask for it to be allowed"
    )]
    TagKey {
        /// The rule that came nearest.
        rule: usize,
        /// The key.
        key: String,
    },
    /// An external ID, which the rule does not hand over.
    #[error(
        "externalId: spec.allow[{rule}] of the identity does not let grants choose it: remove it, or ask for externalId: FromGrant"
    )]
    ExternalId {
        /// The rule that came nearest.
        rule: usize,
    },
    /// A session name, which the rule does not hand over.
    #[error(
        "sessionName: spec.allow[{rule}] of the identity does not let grants choose it: remove it, or ask for sessionName: FromGrant"
    )]
    SessionName {
        /// The rule that came nearest.
        rule: usize,
    },
    /// The broker, which the rule does not allow.
    #[error(
        "store: spec.allow[{rule}] of the identity does not allow Broker: write Secret, or ask for stores: [Broker]"
    )]
    Store {
        /// The rule that came nearest.
        rule: usize,
    },
}

/// The field of a rule that gives the role that stands there.
fn field_for(place: &str) -> &'static str {
    if place == "roleArn" {
        "roleArns"
    } else {
        "chainArns"
    }
}

fn places(indices: &[usize]) -> String {
    let named: Vec<_> = indices
        .iter()
        .map(|index| format!("spec.allow[{index}]"))
        .collect();
    named.join(", ")
}
