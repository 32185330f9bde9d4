//! What a grant asks STS for, under what its identity lays down. Pure.

use alter_aws::{FederationRequest, RoleRequest};
use alter_crds::{
    AwsGrant, AwsGrantSpec, AwsIdentity,
    field::FieldError,
    names::session_tag,
    session::{self, SessionKind},
};
use alter_policy::{
    caller::CHAINED_SECONDS,
    session_policy::SessionPolicy,
    tag::{self, TagError},
    template::{self, DEFAULT_SESSION_NAME, TemplateError, Values},
};
use kube::ResourceExt;
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
    /// Nobody knows whose a session without a role would be.
    #[error("AwsIdentity {identity}: AWS has not said yet whose key it is; Alter asks by itself")]
    NotSeenYet {
        /// The identity.
        identity: String,
    },
    /// A field of the grant.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// The pod that a session is for, as its token names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod<'a> {
    /// Its name.
    pub name: &'a str,
    /// The service account that it runs as.
    pub service_account: &'a str,
}

impl Pod<'static> {
    /// One of names of an ordinary length, to try templates with.
    pub const EXAMPLE: Self = Self {
        name: "pod",
        service_account: "account",
    };
}

/// What STS is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRequest {
    /// A session of a role, by `sts:AssumeRole`.
    Role {
        /// The roles before it, the first first. Their sessions are the identity's own, and all grants share them.
        hops: Vec<RoleRequest>,
        /// The session.
        role: RoleRequest,
    },
    /// A confined session of the identity's own user, by `sts:GetFederationToken`.
    Federated {
        /// ARN of the user.
        user: String,
        /// The session.
        request: FederationRequest,
    },
    /// A session of the identity's own user, by `sts:GetSessionToken`.
    Full {
        /// ARN of the user.
        user: String,
        /// Life of the session, in seconds.
        duration_seconds: i32,
    },
}

/// The parameters of a grant's session under an identity. `pod` is the one that the session is for; none where
/// all pods of the grant share it.
///
/// What the grant itself chooses outranks the identity's template; whether it may was decided before.
pub fn plan(
    identity: &AwsIdentity,
    grant: &AwsGrant,
    cluster: &str,
    pod: Option<Pod<'_>>,
) -> Result<SessionRequest, RequestError> {
    let spec = &grant.spec;
    // Also keeps a tenant's tags from posing as Alter's own, whose keys are reserved.
    spec.check()?;
    session::check(identity, spec)?;
    let (namespace, name) = (grant.namespace().unwrap_or_default(), grant.name_any());
    let values = Values {
        namespace: &namespace,
        grant: &name,
        cluster,
        service_account: pod.map(|own| own.service_account),
        pod: pod.map(|own| own.name),
    };
    let caller = identity.status.as_ref().and_then(|own| own.arn.as_deref());
    let Some(owner) = spec.owner(caller) else {
        return Err(RequestError::NotSeenYet {
            identity: spec.identity.clone(),
        });
    };
    let policy = spec.session_policy(owner)?;
    let duration_seconds = spec.duration_seconds;
    let user = caller.unwrap_or_default().to_owned();
    Ok(match (&spec.role_arn, spec.session_kind()) {
        (Some(role_arn), _) => {
            let hops = spec.role_chain.iter();
            SessionRequest::Role {
                hops: hops.map(|arn| hop(arn, &identity.name_any())).collect(),
                role: role(identity, spec, role_arn, policy, values)?,
            }
        }
        (None, SessionKind::Full) => SessionRequest::Full {
            user,
            duration_seconds,
        },
        (None, _) => SessionRequest::Federated {
            user,
            request: FederationRequest {
                name: template::federated_name(&namespace, &name),
                duration_seconds,
                tags: tags_of(identity, spec, values)?,
                policy,
            },
        },
    })
}

/// A role on the way to a grant's. Nothing of the grant is in it, and nothing that would stay on all sessions
/// after it: tags and source identity come with the last.
fn hop(role_arn: &str, identity: &str) -> RoleRequest {
    RoleRequest {
        role_arn: role_arn.to_owned(),
        session_name: template::own_session_name(identity),
        duration_seconds: CHAINED_SECONDS,
        external_id: None,
        source_identity: None,
        tags: BTreeMap::new(),
        policy: SessionPolicy::default(),
    }
}

fn role(
    identity: &AwsIdentity,
    spec: &AwsGrantSpec,
    role_arn: &str,
    policy: SessionPolicy,
    values: Values<'_>,
) -> Result<RoleRequest, RequestError> {
    let session = identity.spec.session.clone().unwrap_or_default();
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
    let own_source_identity = identity.spec.credentials.roles_anywhere.is_none();
    let source_identity = session
        .source_identity
        .as_deref()
        .filter(|_| own_source_identity)
        .map(|template| template::source_identity(template, values))
        .transpose()
        .map_err(broken("sourceIdentity"))?;
    Ok(RoleRequest {
        role_arn: role_arn.to_owned(),
        session_name,
        duration_seconds: spec.duration_seconds,
        external_id,
        source_identity,
        tags: tags_of(identity, spec, values)?,
        policy,
    })
}

/// The grant's tags, those that the identity lays down, and Alter's own.
fn tags_of(
    identity: &AwsIdentity,
    spec: &AwsGrantSpec,
    values: Values<'_>,
) -> Result<BTreeMap<String, String>, RequestError> {
    let mut tags = spec.tags.clone();
    let session = identity.spec.session.as_ref();
    let Some(own) = session.and_then(|own| own.tags.as_ref()) else {
        return Ok(tags);
    };
    for (key, template) in &own.values {
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
        return Err(FieldError::new("spec.tags", &TagError::TooMany(tags.len())).into());
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

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
