//! The parameters of sessions.

use alter_policy::session_policy::SessionPolicy;
use std::collections::BTreeMap;

/// What `sts:AssumeRole` is asked for.
///
/// The limits of each field stand in
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>; STS checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRequest {
    /// ARN of the role.
    pub role_arn: String,
    /// `RoleSessionName`, which AWS's logs show.
    pub session_name: String,
    /// Life of the session, in seconds: 900 to 43200; at most 3600 from a session.
    pub duration_seconds: i32,
    /// `ExternalId`, where the trust policy asks for one.
    pub external_id: Option<String>,
    /// `SourceIdentity`; the trust policy must allow sts:SetSourceIdentity.
    pub source_identity: Option<String>,
    /// Session tags; with any, the trust policy must allow sts:TagSession.
    pub tags: BTreeMap<String, String>,
    /// What confines the session, whatever the role may.
    pub policy: SessionPolicy,
}

/// What `sts:GetFederationToken` is asked for: a session of the calling user.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationRequest {
    /// `Name`, which AWS's logs show: 2 to 32 characters.
    pub name: String,
    /// Life of the session, in seconds: 900 to 129600.
    pub duration_seconds: i32,
    /// Session tags; with any, the user's policy must allow sts:TagSession.
    pub tags: BTreeMap<String, String>,
    /// What the session may do; without any, nothing.
    pub policy: SessionPolicy,
}
