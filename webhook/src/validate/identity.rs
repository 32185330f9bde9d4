//! An `AwsIdentity` that is created or whose spec changes.

use alter_crds::{AwsIdentity, AwsIdentitySpec, field::FieldError};
use alter_policy::template;

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
    warn_of_shared_names(spec, &mut warnings);
    warn_of_revocations(spec, &mut warnings);
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

/// Names that two grants can share mislead whoever reads AWS's logs.
fn warn_of_shared_names(spec: &AwsIdentitySpec, warnings: &mut Vec<String>) {
    let Some(session) = &spec.session else {
        return;
    };
    for (field, template) in [
        ("name", &session.name),
        ("sourceIdentity", &session.source_identity),
        ("externalId", &session.external_id),
    ] {
        let Some(template) = template else { continue };
        if let Err(error) = template::check_distinct(template) {
            warnings.push(format!("spec.session.{field}: {error}"));
        }
        if template::crosses_namespaces(template) {
            warnings.push(format!(
                "spec.session.{field}: {{grant}} without {{namespace}}: grants of one name in two namespaces share it"
            ));
        }
    }
}
