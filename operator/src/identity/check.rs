//! What CEL cannot check of an identity, and the webhook may not have seen: a spec that breaks here decides
//! nothing, neither for a grant nor against it.

use alter_crds::{AwsIdentitySpec, rules::RuleError};
use alter_policy::template::{self, TemplateError, Values};

/// What cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    /// An allow rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A template.
    #[error("spec.session.{field}: {source}")]
    Template {
        /// The field.
        field: &'static str,
        /// What is wrong, and the mend.
        source: TemplateError,
    },
}

/// Checks the rules and the templates.
pub(crate) fn check(spec: &AwsIdentitySpec, cluster: &str) -> Result<(), Invalid> {
    spec.rules()?;
    // Names of an ordinary length: what longer ones make of a template, each grant's own condition says.
    let values = Values {
        namespace: "namespace",
        grant: "grant",
        cluster,
    };
    let session = spec.session.clone().unwrap_or_default();
    let of = |field| move |source| Invalid::Template { field, source };
    if let Some(text) = &session.name {
        template::session_name(text, values).map_err(of("name"))?;
    }
    if let Some(text) = &session.source_identity {
        template::source_identity(text, values).map_err(of("sourceIdentity"))?;
    }
    if let Some(text) = &session.external_id {
        template::external_id(text, values).map_err(of("externalId"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::identity;
    use alter_crds::identity::SessionTemplate;

    #[test]
    fn the_broken_rule_is_named_by_its_index() {
        let mut spec = identity().spec;
        assert_eq!(check(&spec, ""), Ok(()));
        let mut second = spec.allow[0].clone();
        second.role_arns.push("arn:aws:iam::*:user/x".to_owned());
        spec.allow.push(second);
        let message = check(&spec, "").unwrap_err().to_string();
        assert!(
            message.starts_with("spec.allow[1].roleArns[1]: "),
            "{message}"
        );
    }

    #[test]
    fn the_broken_template_is_named_by_its_field() {
        let mut spec = identity().spec;
        spec.session = Some(SessionTemplate {
            external_id: Some("{cluster}-{namespace}".to_owned()),
            ..SessionTemplate::default()
        });
        assert_eq!(check(&spec, "prod"), Ok(()));
        let message = check(&spec, "").unwrap_err().to_string();
        assert!(
            message.starts_with("spec.session.externalId: "),
            "{message}"
        );
    }
}
