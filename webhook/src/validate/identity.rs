//! An `AwsIdentity` that is created or whose spec changes.

use alter_crds::{AwsIdentity, AwsIdentitySpec, field::FieldError, identity::SessionTemplate};
use alter_policy::{arn::covered_by, template};

/// The webhook does not know whether the installation names its cluster; the operator's condition says
/// where a template misses it.
const SOME_CLUSTER: &str = "cluster";

/// Whether there is anything to check: what is deleted or keeps its spec always passes.
#[must_use]
pub fn is_free(new: &AwsIdentity, old: Option<&AwsIdentity>) -> bool {
    new.metadata.deletion_timestamp.is_some() || old.is_some_and(|old| old.spec == new.spec)
}

/// Checks an identity; gives warnings for its author. `knows_labels`: whether the installation sees those of
/// namespaces.
pub fn check(spec: &AwsIdentitySpec, knows_labels: bool) -> Result<Vec<String>, FieldError> {
    spec.check(SOME_CLUSTER)?;
    if !knows_labels {
        spec.check_without_labels()?;
    }
    let mut warnings = Vec::new();
    for (field, url) in spec.endpoints.iter().flat_map(|own| {
        [
            ("sts", own.sts.as_deref()),
            ("rolesanywhere", own.rolesanywhere.as_deref()),
        ]
    }) {
        if url.is_some_and(is_open) {
            warnings.push(format!(
                "spec.endpoints.{field}: over http everyone on the way reads the sessions that AWS answers: use https, unless this is an emulator"
            ));
        }
    }
    let iam = spec.endpoints.as_ref().and_then(|own| own.iam.as_deref());
    if iam.is_some_and(is_open) {
        warnings.push(
            "spec.endpoints.iam: over http anyone on the way can answer in IAM's place that a session is denied: use https, unless this is an emulator".to_owned(),
        );
    }
    if let Some(session) = &spec.session {
        warn_of_shared_names(session, &mut warnings);
    }
    warn_of_revocations(spec, &mut warnings);
    warn_of_covered_roles(spec, &mut warnings);
    if spec.allow.is_empty() {
        warnings.push("spec.allow is empty: no namespace may use this identity".to_owned());
    }
    Ok(warnings)
}

fn is_open(url: &str) -> bool {
    url.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// A role for revocations that can revoke nothing is missed only when it is needed.
fn warn_of_revocations(spec: &AwsIdentitySpec, warnings: &mut Vec<String>) {
    let tags = spec.session.as_ref().and_then(|own| own.tags.as_ref());
    let tagged = tags.is_some_and(|own| own.enabled);
    let revocation = spec.revocation.as_ref();
    if revocation.is_some_and(|own| !own.whole_role && !tagged) {
        warnings.push(
            "spec.revocation: sessions carry no tags by which AWS could deny one grant's alone: set spec.session.tags.enabled, or wholeRole to cut off everyone on a role".to_owned(),
        );
    }
}

/// Names that two grants can share mislead whoever reads AWS's logs, and whoever locks a role by them.
fn warn_of_shared_names(session: &SessionTemplate, warnings: &mut Vec<String>) {
    let name = session.name.iter();
    let source_identity = session.source_identity.iter();
    let tags = session.tags.iter().flat_map(|tags| &tags.values);
    let templates = (name.map(|own| ("name".to_owned(), own)))
        .chain(source_identity.map(|own| ("sourceIdentity".to_owned(), own)))
        .chain(tags.map(|(key, own)| (format!("tags.values[{key}]"), own)));
    for (field, template) in templates {
        if let Err(error) = template::check_own(template) {
            warnings.push(format!("spec.session.{field}: {error}"));
        }
    }
}

/// A pattern may give less than it says, and more than its author thinks of.
fn warn_of_covered_roles(spec: &AwsIdentitySpec, warnings: &mut Vec<String>) {
    let own_roles = spec.own_roles();
    for (at, rule) in spec.allow.iter().enumerate() {
        for (field, patterns) in [
            ("roleArns", &rule.role_arns),
            ("chainArns", &rule.chain_arns),
        ] {
            let written = |own: &&&str| patterns.iter().any(|pattern| pattern == **own);
            for own in own_roles.iter().filter(|own| !written(own)) {
                if let Some(index) = covered_by(patterns, own) {
                    warnings.push(format!(
                        "spec.allow[{at}].{field}[{index}]: it does not give {own}, a role of Alter's own: if grants shall have that, write it out too"
                    ));
                }
            }
        }
        let passed = rule.chain_arns.iter().enumerate();
        for (index, passed) in passed.filter(|(_, arn)| !own_roles.contains(&arn.as_str())) {
            if let Some(by) = covered_by(&rule.role_arns, passed) {
                warnings.push(format!(
                    "spec.allow[{at}].chainArns[{index}]: roleArns[{by}] names it too, so grants may have it, and not only pass through"
                ));
            }
        }
    }
}
