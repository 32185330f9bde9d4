//! The allow rules of an identity as the plain values that `alter-policy` decides over.
//!
//! Rules that cannot be read decide nothing: neither for a grant nor against it. So everything that would
//! make a rule mean more, or less, than it says is an error here.

use crate::{
    field::FieldError,
    identity::{AllowRule, AllowedStore, AwsIdentitySpec},
};
use alter_policy::{allow, arn::RoleArnPattern, selector, tag};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::BTreeMap;

impl AwsIdentitySpec {
    /// The allow rules as plain values. The order, and so the index, stays.
    pub fn rules(&self) -> Result<Vec<allow::Rule>, FieldError> {
        let rules = self.allow.iter().enumerate();
        rules
            .map(|(index, rule)| {
                let at = format!("spec.allow[{index}]");
                if rule.identity_session.is_some() && self.credentials.access_key.is_none() {
                    return Err(FieldError::new(
                        format!("{at}.identitySession"),
                        &"AWS gives sessions without a role by a user's own key alone: remove it, or use spec.credentials.accessKey",
                    ));
                }
                read(&at, rule)
            })
            .collect()
    }
}

fn read(at: &str, rule: &AllowRule) -> Result<allow::Rule, FieldError> {
    for (field, patterns) in [
        ("roleArns", &rule.role_arns),
        ("chainArns", &rule.chain_arns),
    ] {
        for (index, pattern) in patterns.iter().enumerate() {
            RoleArnPattern::parse(pattern)
                .map_err(|error| FieldError::new(format!("{at}.{field}[{index}]"), &error))?;
        }
    }
    if rule.role_arns.is_empty() && !rule.chain_arns.is_empty() {
        return Err(FieldError::new(
            format!("{at}.chainArns"),
            &"it leads nowhere: write roleArns too, the roles behind these that grants may have",
        ));
    }
    for (index, key) in rule
        .tag_keys
        .iter()
        .enumerate()
        .filter(|(_, key)| *key != "*")
    {
        tag::check_all(&BTreeMap::from([(key.clone(), String::new())]))
            .map_err(|error| FieldError::new(format!("{at}.tagKeys[{index}]"), &error))?;
    }
    let selector = rule.namespaces.selector.as_ref();
    Ok(allow::Rule {
        namespaces: allow::Namespaces {
            names: rule.namespaces.names.clone(),
            selector: selector
                .map(|own| select(&format!("{at}.namespaces.selector"), own))
                .transpose()?,
        },
        role_arns: rule.role_arns.clone(),
        chain_arns: rule.chain_arns.clone(),
        max_duration_seconds: rule.max_duration_seconds,
        tag_keys: rule.tag_keys.clone(),
        external_id_from_grant: rule.external_id.is_some(),
        session_name_from_grant: rule.session_name.is_some(),
        identity_session: rule.identity_session.map(Into::into),
        broker: rule.stores.contains(&AllowedStore::Broker),
    })
}

fn select(at: &str, selector: &LabelSelector) -> Result<selector::Selector, FieldError> {
    let labels = selector.match_labels.iter().flatten();
    let mut requirements: Vec<_> = labels
        .map(|(key, value)| selector::Requirement::In(key.clone(), vec![value.clone()]))
        .collect();
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        requirements.push(require(
            &format!("{at}.matchExpressions[{index}]"),
            expression,
        )?);
    }
    Ok(selector::Selector { requirements })
}

/// As strict as Kubernetes is with its own selectors: a `NotIn` without values would select everything.
fn require(
    at: &str,
    expression: &LabelSelectorRequirement,
) -> Result<selector::Requirement, FieldError> {
    use selector::Requirement;
    let key = expression.key.clone();
    let values = expression.values.clone().unwrap_or_default();
    if key.is_empty() {
        return Err(FieldError::new(at, &"it has no key: write a label's key"));
    }
    match (expression.operator.as_str(), values.is_empty()) {
        ("In", false) => Ok(Requirement::In(key, values)),
        ("NotIn", false) => Ok(Requirement::NotIn(key, values)),
        ("Exists", true) => Ok(Requirement::Exists(key)),
        ("DoesNotExist", true) => Ok(Requirement::DoesNotExist(key)),
        ("In" | "NotIn", true) => Err(FieldError::new(
            at,
            &"it has no values: write those that the label may have",
        )),
        ("Exists" | "DoesNotExist", false) => Err(FieldError::new(
            at,
            &"it has values, which this operator does not look at: remove them",
        )),
        (other, _) => Err(FieldError::new(
            at,
            &format!("operator {other:?} is unknown: write In, NotIn, Exists or DoesNotExist"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::allows;
    use serde_json::{Value, json};

    fn spec(rule: &Value) -> AwsIdentitySpec {
        let spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}, "allow": [rule]});
        serde_json::from_value(spec).unwrap()
    }

    fn rules(rule: &Value) -> Result<Vec<allow::Rule>, String> {
        spec(rule).rules().map_err(|error| error.to_string())
    }

    fn with_expression(expression: &Value) -> Result<Vec<allow::Rule>, String> {
        rules(&json!({
            "namespaces": {"selector": {"matchExpressions": [expression]}},
            "roleArns": ["arn:aws:iam::111122223333:role/*"],
        }))
    }

    #[test]
    fn selectors_that_kubernetes_refuses_are_refused() {
        for (expression, problem) in [
            (
                json!({"key": "team", "operator": "NotIn", "values": []}),
                "it has no values",
            ),
            (
                json!({"key": "team", "operator": "NotIn"}),
                "it has no values",
            ),
            (json!({"key": "team", "operator": "In"}), "it has no values"),
            (
                json!({"key": "", "operator": "DoesNotExist"}),
                "it has no key",
            ),
            (
                json!({"key": "team", "operator": "Exists", "values": ["a"]}),
                "it has values",
            ),
            (
                json!({"key": "team", "operator": "Gt", "values": ["1"]}),
                "operator \"Gt\" is unknown",
            ),
        ] {
            let message = with_expression(&expression).unwrap_err();
            let field = "spec.allow[0].namespaces.selector.matchExpressions[0]: ";
            assert!(
                message.starts_with(&format!("{field}{problem}")),
                "{message}"
            );
        }
        let good = json!({"key": "team", "operator": "NotIn", "values": ["a"]});
        assert!(with_expression(&good).is_ok());
    }

    #[test]
    fn a_session_without_a_role_needs_a_users_key() {
        let rule = json!({"namespaces": {"names": ["a"]}, "identitySession": "Federated"});
        let message = rules(&rule).unwrap_err();
        assert!(
            message.starts_with("spec.allow[0].identitySession: "),
            "{message}"
        );
        let mut keyed = spec(&rule);
        let key = json!({"accessKey": {"secretRef": {"name": "key"}}});
        keyed.credentials = serde_json::from_value(key).unwrap();
        let read = keyed.rules().unwrap();
        assert_eq!(
            read[0].identity_session,
            Some(allow::IdentitySession::Federated)
        );
    }

    #[test]
    fn hops_alone_lead_nowhere_and_a_secret_is_no_store_to_allow() {
        let name = "arn:aws:iam::111122223333:role/a";
        let rule = json!({"namespaces": {"names": ["a"]}, "chainArns": [name]});
        for session in [json!(null), json!("Full")] {
            let mut identity = spec(&rule);
            let key = json!({"accessKey": {"secretRef": {"name": "key"}}});
            identity.credentials = serde_json::from_value(key).unwrap();
            identity.allow[0].identity_session = serde_json::from_value(session).unwrap();
            let message = identity.rules().unwrap_err().to_string();
            assert!(
                message.starts_with("spec.allow[0].chainArns: it leads nowhere: write roleArns"),
                "{message}"
            );
        }
        let rule =
            json!({"namespaces": {"names": ["a"]}, "roleArns": [name], "stores": ["Secret"]});
        let error = serde_json::from_value::<AllowRule>(rule).unwrap_err();
        assert!(error.to_string().contains("Broker"), "{error}");
    }

    #[test]
    fn no_pattern_gives_a_role_of_alters_own() {
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        let (alter, revoking) = (role("alter"), role("alter-revocation"));
        let mut identity = spec(&json!({"namespaces": {"names": ["a"]}, "roleArns": [role("*")]}));
        let token = json!({"webIdentity": {"roleArn": alter, "serviceAccountRef": {"name": "a"}}});
        identity.credentials = serde_json::from_value(token).unwrap();
        identity.revocation = serde_json::from_value(json!({"roleArn": revoking})).unwrap();
        let allows = |identity: &AwsIdentitySpec, role: &str| {
            let grant = json!({"roleArn": role, "region": "us-east-1"});
            let grant = serde_json::from_value(grant).unwrap();
            allows(identity, &grant, "a", &BTreeMap::new()).is_ok()
        };
        assert!(allows(&identity, &role("team")));
        for own in [&alter, &revoking] {
            assert!(!allows(&identity, own), "{own}");
            let mut written = identity.clone();
            written.allow[0].role_arns.push(own.clone());
            assert!(allows(&written, own), "{own}");
        }
    }

    #[test]
    fn a_pattern_or_key_that_cannot_be_read_is_named() {
        let rule = |roles: Value, keys: Value| {
            rules(&json!({"namespaces": {"names": ["a"]}, "roleArns": roles, "tagKeys": keys}))
        };
        let name = "arn:aws:iam::111122223333:role/a";
        let hops = json!({"namespaces": {"names": ["a"]}, "roleArns": [name], "chainArns": ["*"]});
        let message = rules(&hops).unwrap_err();
        assert!(
            message.starts_with("spec.allow[0].chainArns[0]: "),
            "{message}"
        );
        let message = rule(json!([name, "*"]), json!([])).unwrap_err();
        assert!(
            message.starts_with("spec.allow[0].roleArns[1]: "),
            "{message}"
        );
        let message = rule(json!([name]), json!(["*", "alter-x"])).unwrap_err();
        assert!(
            message.starts_with("spec.allow[0].tagKeys[1]: "),
            "{message}"
        );
    }
}
