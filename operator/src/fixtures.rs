//! Objects that several tests start from.

use alter_crds::{
    AwsGrant, AwsIdentity,
    names::{label, secret},
};
use alter_protocol::Session;
use jiff::Timestamp;
use kube::core::ObjectMeta;
use proptest::prelude::*;
use serde_json::json;
use zeroize::Zeroizing;

/// 04:00 on a Sunday.
pub(crate) fn now() -> Timestamp {
    at("04:00:00")
}

/// A time on the day of [`now`].
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-22T{time}Z").parse().unwrap()
}

/// Any that there is, and often one at an end of the calendar.
pub(crate) fn any_time() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    let ends = [Timestamp::MIN, Timestamp::UNIX_EPOCH, now(), Timestamp::MAX];
    prop_oneof![
        seconds.prop_map(|second| Timestamp::from_second(second).unwrap()),
        prop::sample::select(ends.to_vec()),
        (-200_000_i64..200_000).prop_map(|near| now() + jiff::SignedDuration::from_secs(near)),
    ]
}

/// `team-a/bedrock`, UID `g-1`.
pub(crate) fn grant() -> AwsGrant {
    serde_json::from_value(json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsGrant",
        "metadata": {"name": "bedrock", "namespace": "team-a", "uid": "g-1", "generation": 1},
        "spec": {
            "roleArn": "arn:aws:iam::111122223333:role/team-a-bedrock",
            "region": "us-east-1",
        },
    }))
    .unwrap()
}

/// `default`, ready, which allows `team-a` every role of its own.
pub(crate) fn identity() -> AwsIdentity {
    serde_json::from_value(json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsIdentity",
        "metadata": {"name": "default", "uid": "i-1", "generation": 1},
        "spec": {
            "region": "us-east-1",
            "credentials": {"accessKey": {"secretRef": {"name": "bootstrap"}}},
            "allow": [{
                "namespaces": {"names": ["team-a"]},
                "roleArns": ["arn:aws:iam::111122223333:role/team-a-*"],
            }],
        },
        "status": {
            "observedGeneration": 1,
            "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/alter",
            "lastChecked": "2026-11-22T03:30:00Z",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Identified", "message": "m",
                "lastTransitionTime": "2026-11-22T03:30:00Z", "observedGeneration": 1,
            }],
        },
    }))
    .unwrap()
}

/// A session that ends then.
pub(crate) fn session(expiration: &str) -> Session {
    Session {
        access_key_id: "ASIA1".to_owned(),
        secret_access_key: Zeroizing::new("s3cr3t".to_owned()),
        session_token: Zeroizing::new("tok3n".to_owned()),
        expiration: expiration.parse().unwrap(),
    }
}

/// Of `team-a/bedrock-aws`, UID `s-1`, of the grant with that UID, with a session from 03:55 to 04:55.
pub(crate) fn secret_metadata(grant_uid: &str) -> ObjectMeta {
    serde_json::from_value(json!({
        "name": "bedrock-aws",
        "namespace": "team-a",
        "uid": "s-1",
        "resourceVersion": "7",
        "labels": {label::MANAGED_BY: label::OPERATOR, secret::GRANT_LABEL: "bedrock"},
        "annotations": {
            secret::GRANT_UID: grant_uid,
            secret::ISSUED_AT: "2026-11-22T03:55:00Z",
            secret::EXPIRATION: "2026-11-22T04:55:00Z",
            secret::INPUT_DIGEST: "d1",
            secret::ACCESS_KEY_ID: "ASIA1",
            secret::ASSUMED_ROLE_ARN: "arn:aws:sts::111122223333:assumed-role/team-a-bedrock/s",
        },
    }))
    .unwrap()
}
