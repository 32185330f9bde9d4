//! What of an identity decides how AWS is asked.

use crate::error::IssueError;
use alter_aws::Entry;
use alter_crds::{
    AwsIdentity,
    identity::{Credentials, RolesAnywhere, WebIdentity},
};
use alter_policy::{session_policy::SessionPolicy, template};
use kube::ResourceExt;

/// Life of the sessions of a role that is entered by a token, in seconds: every role allows an hour.
const ENTERED_SECONDS: i32 = 3_600;

/// What of an identity decides how AWS is asked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) identity: String,
    pub(crate) region: String,
    /// Of STS.
    pub(crate) endpoint: Option<String>,
    /// Of Roles Anywhere.
    pub(crate) rolesanywhere: Option<String>,
    /// Of IAM.
    pub(crate) iam: Option<String>,
    credentials: Credentials,
}

/// Where the credentials come from.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    Ambient,
    /// The Secret's name.
    AccessKey(&'a str),
    OwnRole(OwnRole<'a>),
}

/// How the identity's own role is entered.
#[derive(Clone, Copy)]
pub(crate) enum OwnRole<'a> {
    ByToken(&'a WebIdentity),
    ByCertificate(&'a RolesAnywhere),
}

impl Target {
    pub(crate) fn of(identity: &AwsIdentity) -> Self {
        let spec = &identity.spec;
        let endpoints = spec.endpoints.as_ref();
        Self {
            identity: identity.name_any(),
            region: spec.region.clone(),
            endpoint: endpoints.and_then(|own| own.sts.clone()),
            rolesanywhere: endpoints.and_then(|own| own.rolesanywhere.clone()),
            iam: endpoints.and_then(|own| own.iam.clone()),
            credentials: spec.credentials.clone(),
        }
    }

    pub(crate) fn way(&self) -> Result<Way<'_>, IssueError> {
        let own = &self.credentials;
        let way = if let Some(key) = &own.access_key {
            Some(Way::AccessKey(&key.secret_ref.name))
        } else if let Some(token) = &own.web_identity {
            Some(Way::OwnRole(OwnRole::ByToken(token)))
        } else if let Some(certificate) = &own.roles_anywhere {
            Some(Way::OwnRole(OwnRole::ByCertificate(certificate)))
        } else {
            own.ambient.as_ref().map(|_| Way::Ambient)
        };
        way.ok_or_else(|| IssueError::NoSource {
            identity: self.identity.clone(),
        })
    }

    /// The session of the identity's own role through which others are assumed.
    pub(crate) fn entry(&self, own: OwnRole<'_>) -> Entry {
        let (role_arn, duration_seconds) = match own {
            OwnRole::ByToken(own) => (&own.role_arn, Some(ENTERED_SECONDS)),
            // As long as the profile says.
            OwnRole::ByCertificate(own) => (&own.role_arn, None),
        };
        Entry {
            role_arn: role_arn.clone(),
            session_name: template::own_session_name(&self.identity),
            duration_seconds,
            policy: SessionPolicy::default(),
        }
    }
}
