//! The allow rules of an identity: denied unless a rule names namespace, role and every choice made.

use crate::{
    arn::{RoleArn, RoleArnError, RoleArnPattern},
    selector::Selector,
};
use std::collections::BTreeMap;

/// One rule: these namespaces may ask for these roles, within these limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Which namespaces.
    pub namespaces: Namespaces,
    /// Role ARNs, in which `*` stands for any characters.
    pub role_arns: Vec<String>,
    /// The longest session, in seconds; none means as the role allows.
    pub max_duration_seconds: Option<i32>,
    /// Session tag keys that grants may set; `*` stands for any that is not reserved.
    pub tag_keys: Vec<String>,
    /// Whether grants choose their own external ID.
    pub external_id_from_grant: bool,
    /// Whether grants choose their own session name.
    pub session_name_from_grant: bool,
    /// Which sessions of the identity's own user grants without a role have.
    pub identity_session: Option<IdentitySession>,
    /// Whether the broker may give out grants' sessions.
    pub broker: bool,
}

/// A session of the identity's own user, without a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySession {
    /// By `sts:GetFederationToken`: confined by the grant's session policy, which it needs.
    Federated,
    /// By `sts:GetSessionToken`: nothing confines it.
    Full,
}

/// Namespaces by name, or by label. Both empty means none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Exact names.
    pub names: Vec<String>,
    /// A label selector; an empty one selects every namespace.
    pub selector: Option<Selector>,
}

/// What a grant asks for.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The grant's namespace.
    pub namespace: &'a str,
    /// The labels of that namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The roles through which the grant's role is assumed.
    pub role_chain: &'a [String],
    /// The role; none for a session of the identity's own user.
    pub role_arn: Option<&'a str>,
    /// Whether a session policy confines the session.
    pub has_policy: bool,
    /// The session's life, in seconds.
    pub duration_seconds: i32,
    /// The session tags that the grant sets.
    pub tags: &'a BTreeMap<String, String>,
    /// Whether the grant sets an external ID.
    pub sets_external_id: bool,
    /// Whether the grant sets a session name.
    pub sets_session_name: bool,
    /// Whether the grant's sessions come from the broker.
    pub from_broker: bool,
}

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
    #[error("{place}: {role_arn} is not among the roles that {} of the identity allows namespace {namespace:?}: ask for one of those, or for another rule", places(.rules))]
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
    /// Each role is named by a rule, and all of them by none.
    #[error("roleChain: none of {} of the identity names every role of the chain and roleArn, and rules are not combined: ask for one rule that does", places(.rules))]
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

fn places(indices: &[usize]) -> String {
    let named: Vec<_> = indices
        .iter()
        .map(|index| format!("spec.allow[{index}]"))
        .collect();
    named.join(", ")
}

/// Finds the rule that allows the request, and gives its index.
///
/// One rule bounds all of a chain. The denial is of the rule that came nearest, so that its reader learns the
/// last thing in the way.
pub fn decide(allow: &[Rule], request: &Request<'_>) -> Result<usize, Denial> {
    let roles = Roles::of(request)?;
    let (mut for_namespace, mut nearest) = (Vec::new(), None);
    for (index, rule) in allow.iter().enumerate() {
        if !rule
            .namespaces
            .contain(request.namespace, request.namespace_labels)
        {
            continue;
        }
        for_namespace.push(index);
        let denial = match roles.gives(index, rule, request.has_policy) {
            Some(Ok(())) => match within_limits(index, rule, request) {
                Ok(()) => return Ok(index),
                Err(denial) => denial,
            },
            Some(Err(denial)) => denial,
            None => continue,
        };
        nearest.get_or_insert(denial);
    }
    Err(nearest.unwrap_or_else(|| {
        if for_namespace.is_empty() {
            let namespace = request.namespace.to_owned();
            return Denial::Namespace { namespace };
        }
        roles.not_given(allow, request.namespace, for_namespace)
    }))
}

/// The roles of a request by the fields that name them: those of the chain in their order, and the grant's at
/// the end. None where it asks for a session of the identity's own user.
struct Roles<'a>(Vec<(String, &'a str, RoleArn<'a>)>);

impl<'a> Roles<'a> {
    fn of(request: &Request<'a>) -> Result<Self, Denial> {
        let hops = request.role_chain.iter().enumerate();
        let hops = hops.map(|(index, arn)| (format!("roleChain[{index}]"), arn.as_str()));
        let last = request.role_arn.map(|arn| ("roleArn".to_owned(), arn));
        let roles = hops
            .chain(last)
            .map(|(place, text)| match RoleArn::parse(text) {
                Ok(arn) => Ok((place, text, arn)),
                Err(source) => Err(Denial::RoleArn { place, source }),
            });
        let roles = roles.collect::<Result<Vec<_>, _>>()?;
        // A chain without a role leads nowhere; what refuses it says so.
        Ok(Self(if request.role_arn.is_some() {
            roles
        } else {
            Vec::new()
        }))
    }

    /// Whether the rule gives all of it; none where it has nothing to say about it.
    fn gives(&self, index: usize, rule: &Rule, has_policy: bool) -> Option<Result<(), Denial>> {
        if !self.0.is_empty() {
            let all = self.0.iter().all(|(.., role)| names_role(rule, role));
            return all.then_some(Ok(()));
        }
        Some(match (rule.identity_session?, has_policy) {
            (IdentitySession::Federated, true) | (IdentitySession::Full, false) => Ok(()),
            (IdentitySession::Federated, false) => Err(Denial::PolicyMissing { rule: index }),
            (IdentitySession::Full, true) => Err(Denial::PolicyRefused { rule: index }),
        })
    }

    /// Why none of these rules does.
    fn not_given(&self, allow: &[Rule], namespace: &str, rules: Vec<usize>) -> Denial {
        let namespace = namespace.to_owned();
        if self.0.is_empty() {
            return Denial::NoRole { namespace, rules };
        }
        let named = |role| {
            let mut rules = rules.iter().filter_map(|index| allow.get(*index));
            rules.any(|rule| names_role(rule, role))
        };
        match self.0.iter().find(|(.., role)| !named(role)) {
            Some((place, text, _)) => Denial::Role {
                place: place.clone(),
                namespace,
                role_arn: (*text).to_owned(),
                rules,
            },
            None => Denial::Chain { rules },
        }
    }
}

/// A pattern that cannot be read names no role.
fn names_role(rule: &Rule, wanted: &RoleArn<'_>) -> bool {
    rule.role_arns
        .iter()
        .any(|text| RoleArnPattern::parse(text).is_ok_and(|pattern| pattern.matches(wanted)))
}

fn within_limits(index: usize, rule: &Rule, request: &Request<'_>) -> Result<(), Denial> {
    if let Some(limit) = rule
        .max_duration_seconds
        .filter(|limit| request.duration_seconds > *limit)
    {
        return Err(Denial::Duration {
            rule: index,
            asked: request.duration_seconds,
            limit,
        });
    }
    let allowed = |key: &String| {
        rule.tag_keys
            .iter()
            .any(|allowed| allowed == "*" || allowed == key)
    };
    if let Some(key) = request.tags.keys().find(|key| !allowed(key)) {
        return Err(Denial::TagKey {
            rule: index,
            key: key.clone(),
        });
    }
    if request.sets_external_id && !rule.external_id_from_grant {
        return Err(Denial::ExternalId { rule: index });
    }
    if request.sets_session_name && !rule.session_name_from_grant {
        return Err(Denial::SessionName { rule: index });
    }
    if request.from_broker && !rule.broker {
        return Err(Denial::Store { rule: index });
    }
    Ok(())
}

impl Namespaces {
    fn contain(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.names.iter().any(|own| own == name)
            || self
                .selector
                .as_ref()
                .is_some_and(|selector| selector.selects(labels))
    }
}

#[cfg(test)]
#[path = "allow_tests.rs"]
mod tests;
