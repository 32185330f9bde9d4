//! What is denied of both kinds, what is warned of, and that each message names the field.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_crds::{AwsGrant, AwsIdentity};
use alter_webhook::validate::{
    self,
    grant::{Known, Surroundings},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod grant;
mod identity;
mod session;

fn good_grant() -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsGrant",
        "metadata": {"name": "bedrock", "namespace": "team-a"},
        "spec": {
            "identity": "default",
            "roleArn": "arn:aws:iam::111122223333:role/team-a-bedrock",
            "region": "us-east-1",
            "durationSeconds": 3600,
        },
    })
}

fn good_identity() -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity",
        "metadata": {"name": "default"},
        "spec": {
            "region": "us-east-1",
            "credentials": {"ambient": {}},
            "allow": [{
                "namespaces": {"names": ["team-a"]},
                "roleArns": ["arn:aws:iam::111122223333:role/team-a-*"],
                "tagKeys": ["*"],
                "externalId": "FromGrant",
                "sessionName": "FromGrant",
            }],
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Identified", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[field] = value;
    object
}

fn check_grant(grant: &Value, identity: &Value) -> Result<Vec<String>, String> {
    let grant: AwsGrant = serde_json::from_value(grant.clone()).map_err(|e| e.to_string())?;
    let identity: AwsIdentity =
        serde_json::from_value(identity.clone()).map_err(|e| e.to_string())?;
    let around = Surroundings {
        identity: Known::Present(&identity),
        namespace_labels: Ok(&BTreeMap::new()),
        same_secret: None,
        has_broker: false,
    };
    validate::grant::check(&grant, "team-a", around).map_err(|denial| denial.to_string())
}

fn check_identity(identity: &Value) -> Result<Vec<String>, String> {
    let identity: AwsIdentity =
        serde_json::from_value(identity.clone()).map_err(|e| e.to_string())?;
    validate::identity::check(&identity.spec, true).map_err(|invalid| invalid.to_string())
}
