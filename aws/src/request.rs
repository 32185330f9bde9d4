//! The parameters of a role session.

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
}
