//! What a grant asks STS for, under what its identity lays down. Pure.

use alter_aws::RoleRequest;
use alter_crds::{
    AwsGrant, AwsGrantSpec, AwsIdentity,
    field::FieldError,
    identity::{AwsIdentitySpec, SessionTemplate},
    names::session_tag,
};
use alter_policy::{
    hex::hex,
    tag::{self, TagError},
    template::{self, DEFAULT_SESSION_NAME, TemplateError, Values},
};
use kube::ResourceExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Why identity and grant make no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A template of the identity.
    #[error("AwsIdentity {identity}, spec.session.{field}: {source}")]
    Template {
        /// The identity.
        identity: String,
        /// The field under `spec.session`.
        field: String,
        /// What is wrong with it, and the mend.
        source: TemplateError,
    },
    /// A field of the grant.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// The parameters of `sts:AssumeRole` for a grant under an identity.
///
/// What the grant itself chooses outranks the identity's template; whether it may was decided before.
pub fn plan(
    identity: &AwsIdentitySpec,
    grant: &AwsGrant,
    cluster: &str,
) -> Result<RoleRequest, RequestError> {
    let spec = &grant.spec;
    // Also keeps a tenant's tags from posing as Alter's own, whose keys are reserved.
    spec.check()?;
    let (namespace, name) = (grant.namespace().unwrap_or_default(), grant.name_any());
    let values = Values {
        namespace: &namespace,
        grant: &name,
        cluster,
        service_account: None,
        pod: None,
    };
    let session = identity.session.clone().unwrap_or_default();
    let broken = |field: &str| {
        let field = field.to_owned();
        let identity = spec.identity.clone();
        move |source| RequestError::Template {
            identity,
            field,
            source,
        }
    };
    let session_name = if let Some(own) = &spec.session_name {
        own.clone()
    } else {
        let template = session.name.as_deref().unwrap_or(DEFAULT_SESSION_NAME);
        template::session_name(template, values).map_err(broken("name"))?
    };
    let external_id = match (&spec.external_id, &session.external_id) {
        (Some(own), _) => Some(own.clone()),
        (None, Some(template)) => {
            Some(template::external_id(template, values).map_err(broken("externalId"))?)
        }
        (None, None) => None,
    };
    // Roles Anywhere sets one, the certificate's common name, which no later session can change.
    let own_source_identity = identity.credentials.roles_anywhere.is_none();
    let source_identity = session
        .source_identity
        .as_deref()
        .filter(|_| own_source_identity)
        .map(|template| template::source_identity(template, values))
        .transpose()
        .map_err(broken("sourceIdentity"))?;
    let tags = tags_of(&session, spec, values)?;
    Ok(RoleRequest {
        role_arn: spec.role_arn.clone(),
        session_name,
        duration_seconds: spec.duration_seconds,
        external_id,
        source_identity,
        tags,
    })
}

/// The grant's tags, those that the identity lays down, and Alter's own.
fn tags_of(
    session: &SessionTemplate,
    spec: &AwsGrantSpec,
    values: Values<'_>,
) -> Result<BTreeMap<String, String>, RequestError> {
    const FIELD: &str = "spec.tags";
    let mut tags = spec.tags.clone();
    let Some(own) = &session.tags else {
        return Ok(tags);
    };
    for (key, template) in &own.values {
        // STS takes keys that differ in case alone for the same.
        let same = |other: &&String| other.to_lowercase() == key.to_lowercase();
        if let Some(taken) = spec.tags.keys().find(same) {
            let problem = format!(
                "{taken:?} is set by AwsIdentity {}: remove it",
                spec.identity
            );
            return Err(FieldError::new(FIELD, &problem).into());
        }
        let value = template::tag_value(key, template, values).map_err(|source| {
            RequestError::Template {
                identity: spec.identity.clone(),
                field: format!("tags.values[{key}]"),
                source,
            }
        })?;
        tags.insert(key.clone(), value);
    }
    if own.enabled {
        tags.extend(own_tags(values));
    }
    if tags.len() > tag::LIMIT {
        return Err(FieldError::new(FIELD, &TagError::TooMany(tags.len())).into());
    }
    Ok(tags)
}

fn own_tags(values: Values<'_>) -> impl Iterator<Item = (String, String)> {
    let text = |own: Option<&str>| own.unwrap_or_default().to_owned();
    [
        (session_tag::NAMESPACE, values.namespace.to_owned()),
        (session_tag::GRANT, values.grant.to_owned()),
        (session_tag::SERVICE_ACCOUNT, text(values.service_account)),
        (session_tag::POD, text(values.pod)),
        (session_tag::CLUSTER, values.cluster.to_owned()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| (key.to_owned(), value))
}

/// Changes when anything that a session depends on changes: what STS is asked for, and as whom, and where.
/// The key inside an access key's Secret is not part of it: rotating a key renews no session.
///
/// SHA-256, in hex.
#[must_use]
pub fn digest(identity: &AwsIdentity, request: &RoleRequest) -> String {
    #[derive(Serialize)]
    struct Input<'a> {
        identity: &'a str,
        region: &'a str,
        endpoint: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rolesanywhere: Option<&'a str>,
        credentials: &'a alter_crds::identity::Credentials,
        role_arn: &'a str,
        session_name: &'a str,
        duration_seconds: i32,
        external_id: Option<&'a str>,
        source_identity: Option<&'a str>,
        tags: &'a BTreeMap<String, String>,
    }
    // Taken apart, so that a parameter that is added cannot be forgotten here.
    let RoleRequest {
        role_arn,
        session_name,
        duration_seconds,
        external_id,
        source_identity,
        tags,
    } = request;
    let (name, spec) = (identity.name_any(), &identity.spec);
    let endpoints = spec.endpoints.as_ref();
    let input = Input {
        identity: &name,
        region: &spec.region,
        endpoint: endpoints.and_then(|own| own.sts.as_deref()),
        rolesanywhere: endpoints.and_then(|own| own.rolesanywhere.as_deref()),
        credentials: &spec.credentials,
        role_arn,
        session_name,
        duration_seconds: *duration_seconds,
        external_id: external_id.as_deref(),
        source_identity: source_identity.as_deref(),
        tags,
    };
    // Structs and maps of strings and numbers, in a fixed order: serialising them has no way to fail.
    let text = serde_json::to_vec(&input).unwrap_or_default();
    hex(&Sha256::digest(text))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
