//! An `AwsIdentity` that is created or whose spec changes.

use super::{Invalid, at};
use alter_crds::{AwsIdentity, AwsIdentitySpec, identity::SessionTemplate};
use alter_policy::{
    name,
    template::{self, Values},
};
use http::Uri;

/// Names of an ordinary length, for templates to be tried with.
const SAMPLE: Values<'_> = Values {
    namespace: "namespace",
    grant: "grant",
    cluster: "cluster",
};

/// Whether there is anything to check: what is deleted or keeps its spec always passes.
#[must_use]
pub fn is_free(new: &AwsIdentity, old: Option<&AwsIdentity>) -> bool {
    new.metadata.deletion_timestamp.is_some() || old.is_some_and(|old| old.spec == new.spec)
}

/// Checks an identity; gives warnings for its author.
pub fn check(spec: &AwsIdentitySpec) -> Result<Vec<String>, Invalid> {
    let mut warnings = Vec::new();
    name::check_region(&spec.region).map_err(at("spec.region"))?;
    let endpoint = spec.endpoints.as_ref().and_then(|own| own.sts.as_deref());
    if let Some(url) = endpoint {
        check_endpoint(url, &mut warnings)?;
    }
    if let Some(session) = &spec.session {
        check_session(session)?;
    }
    spec.rules().map_err(|error| Invalid {
        field: error.field,
        problem: error.problem,
    })?;
    if spec.allow.is_empty() {
        warnings.push("spec.allow is empty: no namespace may use this identity".to_owned());
    }
    Ok(warnings)
}

fn check_endpoint(url: &str, warnings: &mut Vec<String>) -> Result<(), Invalid> {
    const FIELD: &str = "spec.endpoints.sts";
    let invalid = |what: &str| {
        let problem =
            format!("{url:?} {what}: write one such as https://sts.us-east-1.amazonaws.com");
        Invalid::new(FIELD, &problem)
    };
    // First: no other message may repeat what could be a password.
    if url.contains('@') {
        return Err(Invalid::new(
            FIELD,
            &"it holds a user or password, which Alter does not send: remove what is before the @",
        ));
    }
    let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
    let host = uri.host().unwrap_or_default();
    if host.is_empty() || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(invalid("is no http or https URL"));
    }
    if uri.query().is_some() {
        return Err(invalid("has a query"));
    }
    if uri.scheme_str() == Some("http") {
        warnings.push(format!(
            "{FIELD}: over http everyone on the way reads the sessions that STS answers: write https but for an emulator"
        ));
    }
    Ok(())
}

fn check_session(session: &SessionTemplate) -> Result<(), Invalid> {
    if let Some(text) = &session.name {
        template::session_name(text, SAMPLE).map_err(at("spec.session.name"))?;
    }
    if let Some(text) = &session.source_identity {
        template::source_identity(text, SAMPLE).map_err(at("spec.session.sourceIdentity"))?;
    }
    if let Some(text) = &session.external_id {
        template::external_id(text, SAMPLE).map_err(at("spec.session.externalId"))?;
    }
    Ok(())
}
