//! The allow rules of an identity: denied unless a rule names namespace, role and every choice made.

pub use crate::denial::Denial;
use crate::{
    arn::{RoleArn, RoleArnPattern},
    selector::Selector,
};
use std::collections::BTreeMap;

/// One rule: these namespaces may ask for these roles, within these limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Which namespaces.
    pub namespaces: Namespaces,
    /// ARNs of roles that grants may have, in which `*` stands for any characters.
    pub role_arns: Vec<String>,
    /// And of roles that they may pass through on the way to one of those, and not have.
    pub chain_arns: Vec<String>,
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

/// Finds the rule that allows the request, and gives its index.
///
/// One rule bounds all of a chain. `own_roles` are Alter's own, which no pattern gives by a `*`. The denial is of
/// the rule that came nearest, so that its reader learns the last thing in the way.
pub fn decide(allow: &[Rule], own_roles: &[&str], request: &Request<'_>) -> Result<usize, Denial> {
    let roles = Roles::of(request, own_roles)?;
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

/// The roles of a request: those of the chain in their order, and the grant's at the end. None where it asks for
/// a session of the identity's own user.
struct Roles<'a>(Vec<Role<'a>>);

/// One of them.
struct Role<'a> {
    /// The field that names it.
    place: String,
    text: &'a str,
    arn: RoleArn<'a>,
    /// Whether it is on the way alone: nobody outside of the operator has its session.
    is_hop: bool,
    /// Whether Alter itself works as it.
    is_own: bool,
}

impl<'a> Roles<'a> {
    fn of(request: &Request<'a>, own_roles: &[&str]) -> Result<Self, Denial> {
        let hops = request.role_chain.iter().enumerate();
        let hops = hops.map(|(index, arn)| (format!("roleChain[{index}]"), arn.as_str(), true));
        let last = request
            .role_arn
            .map(|arn| ("roleArn".to_owned(), arn, false));
        let roles = hops
            .chain(last)
            .map(|(place, text, is_hop)| match RoleArn::parse(text) {
                Ok(arn) => Ok(Role {
                    place,
                    text,
                    arn,
                    is_hop,
                    is_own: own_roles.contains(&text),
                }),
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
            let all = self.0.iter().all(|role| role.is_given(rule));
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
        if self.0.is_empty() {
            let namespace = namespace.to_owned();
            return Denial::NoRole { namespace, rules };
        }
        let of_namespace: Vec<_> = rules.iter().filter_map(|at| allow.get(*at)).collect();
        let given = |role: &&Role<'_>| of_namespace.iter().any(|rule| role.is_given(rule));
        match self.0.iter().find(|role| !given(role)) {
            Some(role) => role.not_given(&of_namespace, namespace, rules),
            None => Denial::Chain { rules },
        }
    }
}

impl Role<'_> {
    /// Whether the rule names it for what it is to be: the role of the session, or one on the way there.
    fn is_given(&self, rule: &Rule) -> bool {
        let passed = rule.chain_arns.iter().filter(|_| self.is_hop);
        let mut patterns = rule.role_arns.iter().chain(passed);
        patterns.any(|pattern| self.is_named_by(pattern))
    }

    /// A pattern that cannot be read names no role. Alter's own are named by themselves alone: who writes `*`
    /// means the teams' roles, and what Alter enters as itself no trust policy of AWS keeps from a grant.
    fn is_named_by(&self, pattern: &str) -> bool {
        if self.is_own {
            return pattern == self.text;
        }
        RoleArnPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(&self.arn))
    }

    /// Why none of these rules, all of the namespace's, gives it.
    fn not_given(&self, of_namespace: &[&Rule], namespace: &str, rules: Vec<usize>) -> Denial {
        let (place, role_arn) = (self.place.clone(), self.text.to_owned());
        let mut passed = of_namespace.iter().flat_map(|rule| &rule.chain_arns);
        if !self.is_hop && passed.any(|pattern| self.is_named_by(pattern)) {
            return Denial::PassedThrough { role_arn, rules };
        }
        if self.is_own {
            return Denial::OwnRole { place, role_arn };
        }
        Denial::Role {
            place,
            namespace: namespace.to_owned(),
            role_arn,
            rules,
        }
    }
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
