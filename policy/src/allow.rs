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
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The grant's namespace.
    pub namespace: &'a str,
    /// The labels of that namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The role.
    pub role_arn: &'a str,
    /// The session's life, in seconds.
    pub duration_seconds: i32,
    /// The session tags that the grant sets.
    pub tags: &'a BTreeMap<String, String>,
    /// Whether the grant sets an external ID.
    pub sets_external_id: bool,
    /// Whether the grant sets a session name.
    pub sets_session_name: bool,
}

/// Why no rule allows a request. `rule` counts from zero, as in `spec.allow[0]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The role is no role.
    #[error("roleArn: {0}")]
    RoleArn(#[from] RoleArnError),
    /// No rule names the namespace.
    #[error(
        "no allow rule of the identity names namespace {namespace:?}: ask the platform team for one"
    )]
    Namespace {
        /// The grant's namespace.
        namespace: String,
    },
    /// Rules name the namespace, but none of them the role.
    #[error("roleArn: {role_arn} is not among the roles that {} of the identity allows namespace {namespace:?}: ask for one of those, or for another rule", places(.rules))]
    Role {
        /// The grant's namespace.
        namespace: String,
        /// The role asked for.
        role_arn: String,
        /// The rules that name the namespace.
        rules: Vec<usize>,
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
/// The denial is of the rule that came nearest, so that its reader learns the last thing in the way.
pub fn decide(allow: &[Rule], request: &Request<'_>) -> Result<usize, Denial> {
    let role = RoleArn::parse(request.role_arn)?;
    let (mut for_namespace, mut nearest) = (Vec::new(), None);
    for (index, rule) in allow.iter().enumerate() {
        if !rule
            .namespaces
            .contain(request.namespace, request.namespace_labels)
        {
            continue;
        }
        for_namespace.push(index);
        if !names_role(rule, &role) {
            continue;
        }
        match within_limits(index, rule, request) {
            Ok(()) => return Ok(index),
            Err(denial) => {
                nearest.get_or_insert(denial);
            }
        }
    }
    let namespace = request.namespace.to_owned();
    Err(nearest.unwrap_or(if for_namespace.is_empty() {
        Denial::Namespace { namespace }
    } else {
        Denial::Role {
            namespace,
            role_arn: request.role_arn.to_owned(),
            rules: for_namespace,
        }
    }))
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/team-a-bedrock";

    fn rule() -> Rule {
        Rule {
            namespaces: Namespaces {
                names: vec!["team-a".to_owned()],
                selector: None,
            },
            role_arns: vec!["arn:aws:iam::111122223333:role/team-a-*".to_owned()],
            max_duration_seconds: Some(3_600),
            tag_keys: vec!["cost-center".to_owned()],
            ..Rule::default()
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    struct Asked {
        namespace: &'static str,
        labels: BTreeMap<String, String>,
        role: &'static str,
        seconds: i32,
        tags: BTreeMap<String, String>,
        external_id: bool,
        session_name: bool,
    }

    impl Default for Asked {
        fn default() -> Self {
            Self {
                namespace: "team-a",
                labels: BTreeMap::new(),
                role: ROLE,
                seconds: 3_600,
                tags: BTreeMap::new(),
                external_id: false,
                session_name: false,
            }
        }
    }

    fn ask(rules: &[Rule], asked: &Asked) -> Result<usize, Denial> {
        decide(
            rules,
            &Request {
                namespace: asked.namespace,
                namespace_labels: &asked.labels,
                role_arn: asked.role,
                duration_seconds: asked.seconds,
                tags: &asked.tags,
                sets_external_id: asked.external_id,
                sets_session_name: asked.session_name,
            },
        )
    }

    #[test]
    fn nothing_is_allowed_without_a_rule() {
        assert!(matches!(
            ask(&[], &Asked::default()),
            Err(Denial::Namespace { .. })
        ));
        assert!(matches!(
            ask(&[Rule::default()], &Asked::default()),
            Err(Denial::Namespace { .. })
        ));
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        assert_eq!(ask(&[Rule::default(), rule()], &Asked::default()), Ok(1));
    }

    #[test]
    fn every_choice_beyond_the_rule_is_denied_by_name() {
        let cases = [
            (
                Asked {
                    namespace: "team-b",
                    ..Asked::default()
                },
                "no allow rule of the identity names namespace \"team-b\"",
            ),
            (
                Asked {
                    role: "arn:aws:iam::111122223333:role/admin",
                    ..Asked::default()
                },
                "roleArn: arn:aws:iam::111122223333:role/admin is not among the roles that spec.allow[0]",
            ),
            (
                Asked {
                    role: "arn:aws:iam::444455556666:role/team-a-x",
                    ..Asked::default()
                },
                "is not among the roles",
            ),
            (
                Asked {
                    role: "nonsense",
                    ..Asked::default()
                },
                "is no role ARN",
            ),
            (
                Asked {
                    seconds: 3_601,
                    ..Asked::default()
                },
                "durationSeconds: 3601 is more than the 3600 that spec.allow[0]",
            ),
            (
                Asked {
                    tags: map(&[("cost-center", "1"), ("owner", "x")]),
                    ..Asked::default()
                },
                "tags: \"owner\" is not among the tagKeys of spec.allow[0]",
            ),
            (
                Asked {
                    external_id: true,
                    ..Asked::default()
                },
                "externalId: spec.allow[0]",
            ),
            (
                Asked {
                    session_name: true,
                    ..Asked::default()
                },
                "sessionName: spec.allow[0]",
            ),
        ];
        for (asked, expected) in cases {
            let message = ask(&[rule()], &asked).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_later_rule_may_allow_what_an_earlier_one_limits() {
        let generous = Rule {
            max_duration_seconds: None,
            external_id_from_grant: true,
            session_name_from_grant: true,
            tag_keys: vec!["*".to_owned()],
            ..rule()
        };
        let asked = Asked {
            seconds: 43_200,
            external_id: true,
            session_name: true,
            tags: map(&[("any", "")]),
            ..Asked::default()
        };
        assert_eq!(ask(&[rule(), generous], &asked), Ok(1));
    }

    proptest! {
        #[test]
        fn another_namespace_never_gets_the_role(name in "[a-z]{1,8}") {
            prop_assume!(name != "team-a");
            let labels = BTreeMap::new();
            let tags = BTreeMap::new();
            let request = Request { namespace: &name, namespace_labels: &labels, role_arn: ROLE, duration_seconds: 900, tags: &tags, sets_external_id: false, sets_session_name: false };
            prop_assert!(decide(&[rule()], &request).is_err());
        }
    }
}
