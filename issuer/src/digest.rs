//! What a session depends on, as one short text.

use crate::request::SessionRequest;
use alter_aws::{FederationRequest, RoleRequest};
use alter_crds::{AwsIdentity, identity::Credentials};
use alter_policy::{hex::hex, session_policy::SessionPolicy};
use kube::ResourceExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Of a grant that uses none of what came later, it is what releases before had: they issue nothing anew.
#[derive(Serialize)]
struct Input<'a> {
    identity: &'a str,
    region: &'a str,
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rolesanywhere: Option<&'a str>,
    credentials: &'a Credentials,
    #[serde(flatten)]
    asked: Asked<'a>,
}

#[derive(Serialize)]
struct Asked<'a> {
    role_arn: &'a str,
    session_name: &'a str,
    duration_seconds: i32,
    external_id: Option<&'a str>,
    source_identity: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    policy_arns: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hops: Vec<Asked<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// Changes when anything that a session depends on changes: what STS is asked for, and as whom, and where.
/// The key inside an access key's Secret is not part of it: rotating a key renews no session.
///
/// SHA-256, in hex.
#[must_use]
pub fn digest(identity: &AwsIdentity, request: &SessionRequest) -> String {
    let (name, spec) = (identity.name_any(), &identity.spec);
    let endpoints = spec.endpoints.as_ref();
    let input = Input {
        identity: &name,
        region: &spec.region,
        endpoint: endpoints.and_then(|own| own.sts.as_deref()),
        rolesanywhere: endpoints.and_then(|own| own.rolesanywhere.as_deref()),
        credentials: &spec.credentials,
        asked: asked(request),
    };
    // Structs and maps of strings and numbers, in a fixed order: serialising them has no way to fail.
    let text = serde_json::to_vec(&input).unwrap_or_default();
    hex(&Sha256::digest(text))
}

fn asked(request: &SessionRequest) -> Asked<'_> {
    match request {
        SessionRequest::Role { hops, role } => Asked {
            hops: hops.iter().map(of_role).collect(),
            ..of_role(role)
        },
        SessionRequest::Federated { user, request } => of_federation(user, request),
        SessionRequest::Full {
            user,
            duration_seconds,
        } => Asked {
            role_arn: "",
            session_name: "",
            duration_seconds: *duration_seconds,
            external_id: None,
            source_identity: None,
            tags: const { &BTreeMap::new() },
            policy: None,
            policy_arns: &[],
            hops: Vec::new(),
            user: Some(user),
        },
    }
}

fn of_role(request: &RoleRequest) -> Asked<'_> {
    // Taken apart, so that a parameter that is added cannot be forgotten here.
    let RoleRequest {
        role_arn,
        session_name,
        duration_seconds,
        external_id,
        source_identity,
        tags,
        policy: SessionPolicy { document, arns },
    } = request;
    Asked {
        role_arn,
        session_name,
        duration_seconds: *duration_seconds,
        external_id: external_id.as_deref(),
        source_identity: source_identity.as_deref(),
        tags,
        policy: document.as_deref(),
        policy_arns: arns,
        hops: Vec::new(),
        user: None,
    }
}

fn of_federation<'a>(user: &'a str, request: &'a FederationRequest) -> Asked<'a> {
    let FederationRequest {
        name,
        duration_seconds,
        tags,
        policy: SessionPolicy { document, arns },
    } = request;
    Asked {
        role_arn: "",
        session_name: name,
        duration_seconds: *duration_seconds,
        external_id: None,
        source_identity: None,
        tags,
        policy: document.as_deref(),
        policy_arns: arns,
        hops: Vec::new(),
        user: Some(user),
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
