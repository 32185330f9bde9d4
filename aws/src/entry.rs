//! Entering the role of an identity's own, with no AWS key: by a token, or by a certificate.

use crate::{classify::Class, failure::Failure};
use alter_policy::session_policy::SessionPolicy;

/// The session that is wanted of the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// ARN of the role.
    pub role_arn: String,
    /// `RoleSessionName`, by a token alone: of Roles Anywhere's sessions it is the certificate's serial number,
    /// unless the profile says otherwise.
    pub session_name: String,
    /// Life of the session, in seconds: 900 to 43200. Where absent, an hour by a token, and what the profile
    /// says by a certificate.
    pub duration_seconds: Option<i32>,
    /// What confines the session, by a token alone.
    pub policy: SessionPolicy,
}

/// Why the role was not entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// `sts:AssumeRoleWithWebIdentity`.
    #[error("sts:AssumeRoleWithWebIdentity of {role_arn} failed: {failure}")]
    WebIdentity {
        /// The role.
        role_arn: String,
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// `rolesanywhere:CreateSession`.
    #[error("rolesanywhere:CreateSession of {role_arn} failed: {failure}")]
    CreateSession {
        /// The role.
        role_arn: String,
        /// What went wrong.
        failure: Box<Failure>,
    },
}

impl EntryError {
    /// What the failure means for the next call.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::WebIdentity { failure, .. } | Self::CreateSession { failure, .. } => {
                failure.class
            }
        }
    }
}
