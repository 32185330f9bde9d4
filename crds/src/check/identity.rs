//! The fields of an `AwsIdentity`.

use crate::{
    field::{FieldError, at},
    identity::{
        AllowRule, AwsIdentitySpec, Credentials, RolesAnywhere, SessionTemplate, WebIdentity,
    },
};
use alter_policy::{
    arn::RoleArn,
    name,
    roles_anywhere::{Resource, RolesAnywhereArn},
    tag,
    template::{self, Values},
};
use http::Uri;

impl AwsIdentitySpec {
    /// Checks each field; `cluster` is what the installation calls the cluster, which may be nothing.
    pub fn check(&self, cluster: &str) -> Result<(), FieldError> {
        name::check_region(&self.region).map_err(at("spec.region"))?;
        if let Some(endpoints) = &self.endpoints {
            for (field, url, example) in [
                (
                    "spec.endpoints.sts",
                    &endpoints.sts,
                    "https://sts.us-east-1.amazonaws.com",
                ),
                (
                    "spec.endpoints.rolesanywhere",
                    &endpoints.rolesanywhere,
                    "https://rolesanywhere.us-east-1.amazonaws.com",
                ),
                (
                    "spec.endpoints.iam",
                    &endpoints.iam,
                    "https://iam.amazonaws.com",
                ),
            ] {
                url.as_ref()
                    .map_or(Ok(()), |url| check_endpoint(field, url, example))?;
            }
        }
        check_credentials(&self.credentials)?;
        if let Some(session) = &self.session {
            check_session(session, cluster)?;
        }
        if let Some(revocation) = &self.revocation {
            RoleArn::parse(&revocation.role_arn).map_err(at("spec.revocation.roleArn"))?;
        }
        self.rules().map(|_| ())
    }

    /// Checks that no rule asks for labels of namespaces, for an installation that cannot see them.
    pub fn check_without_labels(&self) -> Result<(), FieldError> {
        let by_label = |rule: &AllowRule| rule.namespaces.selector.is_some();
        let Some(index) = self.allow.iter().position(by_label) else {
            return Ok(());
        };
        Err(FieldError::new(
            format!("spec.allow[{index}].namespaces.selector"),
            &"this installation watches some namespaces alone (the chart's watchNamespaces) and cannot see their labels: write names",
        ))
    }
}

fn check_endpoint(field: &str, url: &str, example: &str) -> Result<(), FieldError> {
    let invalid = |what: &str| {
        let problem = format!("{url:?} {what}: write one such as {example}");
        FieldError::new(field, &problem)
    };
    // First: no other message may repeat what could be a password.
    if url.contains('@') {
        return Err(FieldError::new(
            field,
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
    Ok(())
}

fn check_credentials(credentials: &Credentials) -> Result<(), FieldError> {
    if let Some(key) = &credentials.access_key {
        const FIELD: &str = "spec.credentials.accessKey.secretRef.name";
        name::check_secret_name(&key.secret_ref.name).map_err(at(FIELD))?;
    }
    if let Some(token) = &credentials.web_identity {
        check_web_identity(token)?;
    }
    credentials
        .roles_anywhere
        .as_ref()
        .map_or(Ok(()), check_roles_anywhere)
}

fn check_web_identity(own: &WebIdentity) -> Result<(), FieldError> {
    const AUDIENCE: &str = "spec.credentials.webIdentity.audience";
    RoleArn::parse(&own.role_arn).map_err(at("spec.credentials.webIdentity.roleArn"))?;
    if own.audience.is_empty() {
        // The API server would put its own in its place, and so make a token for itself.
        return Err(FieldError::new(
            AUDIENCE,
            &"it is empty: write one that IAM's OIDC provider has, such as sts.amazonaws.com",
        ));
    }
    name::check_service_account_name(&own.service_account_ref.name)
        .map_err(at("spec.credentials.webIdentity.serviceAccountRef.name"))
}

fn check_roles_anywhere(own: &RolesAnywhere) -> Result<(), FieldError> {
    const ANCHOR: &str = "spec.credentials.rolesAnywhere.trustAnchorArn";
    const PROFILE: &str = "spec.credentials.rolesAnywhere.profileArn";
    const SECRET: &str = "spec.credentials.rolesAnywhere.certificateSecretRef.name";
    let anchor = RolesAnywhereArn::parse(&own.trust_anchor_arn, Resource::TrustAnchor);
    let anchor = anchor.map_err(at(ANCHOR))?;
    let profile = RolesAnywhereArn::parse(&own.profile_arn, Resource::Profile);
    if profile.map_err(at(PROFILE))? != anchor {
        let problem = format!(
            "it is of another region than the trust anchor: name a profile of {}",
            anchor.region
        );
        return Err(FieldError::new(PROFILE, &problem));
    }
    RoleArn::parse(&own.role_arn).map_err(at("spec.credentials.rolesAnywhere.roleArn"))?;
    name::check_secret_name(&own.certificate_secret_ref.name).map_err(at(SECRET))
}

fn check_session(session: &SessionTemplate, cluster: &str) -> Result<(), FieldError> {
    // Names of an ordinary length: what longer ones make of a template, each grant's own condition says.
    let values = Values {
        namespace: "namespace",
        grant: "grant",
        cluster,
        service_account: Some("account"),
        pod: Some("pod"),
    };
    if let Some(text) = &session.name {
        template::session_name(text, values).map_err(at("spec.session.name"))?;
    }
    // Trust policies let a role be assumed by what follows: no grant may make another one's.
    if let Some(text) = &session.source_identity {
        const FIELD: &str = "spec.session.sourceIdentity";
        template::source_identity(text, values).map_err(at(FIELD))?;
        template::check_distinct(text).map_err(at(FIELD))?;
    }
    if let Some(text) = &session.external_id {
        const FIELD: &str = "spec.session.externalId";
        template::external_id(text, values).map_err(at(FIELD))?;
        template::check_own(text).map_err(at(FIELD))?;
    }
    let tags = session.tags.iter().flat_map(|tags| &tags.values);
    for (key, text) in tags.clone() {
        let field = format!("spec.session.tags.values[{key}]");
        template::tag_value(key, text, values).map_err(at(&field))?;
        template::check_distinct(text).map_err(at(&field))?;
    }
    // Of the keys; the values are templates, which hold characters that tags do not.
    let keys = tags.map(|(key, _)| (key.clone(), String::new())).collect();
    tag::check_all(&keys).map_err(at("spec.session.tags.values"))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
