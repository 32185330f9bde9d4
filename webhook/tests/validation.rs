//! What is denied of both kinds, what is warned of, and that each message names the field.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_crds::{AwsGrant, AwsIdentity};
use alter_webhook::validate::{
    grant::{self, Known, Surroundings},
    identity,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[test]
fn a_revocation_is_a_time_and_an_edit_of_it_is_looked_at() {
    let cut = |text: &str| {
        let annotations = json!({"alter.dev/revoke-before": text});
        with(good_grant(), "/metadata/annotations", annotations)
    };
    let good = cut("2026-11-22T05:00:00Z");
    assert_eq!(check_grant(&good, &good_identity()), Ok(vec![]));
    let message = check_grant(&cut("now"), &good_identity()).unwrap_err();
    assert!(
        message.starts_with("metadata.annotations[alter.dev/revoke-before]: \"now\" is no"),
        "{message}"
    );
    let read = |grant: &Value| serde_json::from_value::<AwsGrant>(grant.clone()).unwrap();
    assert!(!grant::is_free(&read(&good), Some(&read(&good_grant()))));
    assert!(grant::is_free(&read(&good), Some(&read(&good))));
}

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
    };
    grant::check(&grant, "team-a", around).map_err(|denial| denial.to_string())
}

fn check_identity(identity: &Value) -> Result<Vec<String>, String> {
    let identity: AwsIdentity =
        serde_json::from_value(identity.clone()).map_err(|e| e.to_string())?;
    identity::check(&identity.spec, true).map_err(|invalid| invalid.to_string())
}

#[test]
fn every_field_of_a_grant_is_denied_by_name() {
    assert_eq!(check_grant(&good_grant(), &good_identity()), Ok(vec![]));
    for (field, value, expected) in [
        ("roleArn", json!("arn:aws:iam::1:role/x"), "spec.roleArn: "),
        (
            "roleArn",
            json!("arn:aws:iam::111122223333:role/team-a-*"),
            "spec.roleArn: ",
        ),
        (
            "region",
            json!("mars"),
            "spec.region: \"mars\" is no AWS region",
        ),
        (
            "tags",
            json!({"ALTER-namespace": "x"}),
            "spec.tags: tag key \"ALTER-namespace\" is reserved",
        ),
        (
            "tags",
            json!({"a": "x", "A": "y"}),
            "spec.tags: tag keys \"A\" and \"a\" differ in case alone",
        ),
        (
            "tags",
            json!({"a": "{x}"}),
            "spec.tags: the value of tag \"a\"",
        ),
        (
            "externalId",
            json!("a b"),
            "spec.externalId: \"a b\" is no external ID",
        ),
        (
            "sessionName",
            json!("a/b"),
            "spec.sessionName: \"a/b\" is no session name",
        ),
        (
            "refreshBefore",
            json!("soon"),
            "spec.refreshBefore: \"soon\" is no duration",
        ),
        (
            "secretTemplate",
            json!({"labels": {"team": "a b"}}),
            "spec.secretTemplate.labels: the value of \"team\"",
        ),
        (
            "refreshBefore",
            json!("60m"),
            "spec.refreshBefore: it must be shorter than spec.durationSeconds (3600 s)",
        ),
    ] {
        let grant = with(good_grant(), &format!("/spec/{field}"), value.clone());
        let message = check_grant(&grant, &good_identity()).unwrap_err();
        assert!(message.contains(expected), "{field}: {value}: {message}");
    }
}

#[test]
fn what_the_identity_does_not_hand_over_names_the_rule() {
    for (rule, field, value, expected) in [
        (
            "tagKeys",
            "tags",
            json!({"team": "a"}),
            "tags: \"team\" is not among the tagKeys of spec.allow[0]",
        ),
        (
            "externalId",
            "externalId",
            json!("mine"),
            "externalId: spec.allow[0]",
        ),
        (
            "sessionName",
            "sessionName",
            json!("mine"),
            "sessionName: spec.allow[0]",
        ),
        (
            "maxDurationSeconds",
            "durationSeconds",
            json!(7200),
            "durationSeconds: 7200 is more than the 3600",
        ),
    ] {
        let strict = match rule {
            "tagKeys" => json!(["other"]),
            "maxDurationSeconds" => json!(3600),
            _ => Value::Null,
        };
        let identity = with(good_identity(), &format!("/spec/allow/0/{rule}"), strict);
        let grant = with(good_grant(), &format!("/spec/{field}"), value);
        let message = check_grant(&grant, &identity).unwrap_err();
        assert!(
            message.starts_with("AwsIdentity \"default\" does not allow this grant: ")
                && message.contains(expected),
            "{message}"
        );
        assert!(check_grant(&grant, &good_identity()).is_ok());
    }
}

#[test]
fn what_is_not_known_is_a_warning() {
    let grant: AwsGrant = serde_json::from_value(good_grant()).unwrap();
    let identity: AwsIdentity = serde_json::from_value(good_identity()).unwrap();
    let labels = BTreeMap::new();
    let check = |identity, namespace_labels| {
        let around = Surroundings {
            identity,
            namespace_labels,
            same_secret: None,
        };
        grant::check(&grant, "team-a", around).unwrap()
    };
    assert_eq!(
        check(Known::Absent, Ok(&labels)),
        ["spec.identity: there is no AwsIdentity \"default\" yet: the grant waits for it"]
    );
    let warnings = check(Known::Unknown("etcd is away"), Ok(&labels));
    assert!(
        warnings[0].contains("was not checked: etcd is away"),
        "{warnings:?}"
    );
    let warnings = check(Known::Present(&identity), Err("etcd is away"));
    assert!(
        warnings[0].contains("rules of AwsIdentity \"default\" were not checked"),
        "{warnings:?}"
    );
}

#[test]
fn lives_that_sdks_or_sts_cut_short_are_warned_of() {
    let short = with(good_grant(), "/spec/durationSeconds", json!(900));
    let warnings = check_grant(&short, &good_identity()).unwrap();
    assert!(
        warnings[0].contains("spec.durationSeconds: 900 is short"),
        "{warnings:?}"
    );
    let enough = with(good_grant(), "/spec/durationSeconds", json!(1500));
    assert_eq!(check_grant(&enough, &good_identity()), Ok(vec![]));
    let long = with(good_grant(), "/spec/durationSeconds", json!(7200));
    assert_eq!(check_grant(&long, &good_identity()), Ok(vec![]));
    let role = json!("arn:aws:sts::111122223333:assumed-role/alter/operator");
    let role = with(good_identity(), "/status/arn", role);
    let warnings = check_grant(&long, &role).unwrap();
    assert!(warnings[0].contains("write 3600 or less"), "{warnings:?}");
    // Of the grant's own role: it is entered directly.
    let own = json!({"webIdentity": {
        "roleArn": good_grant()["spec"]["roleArn"], "serviceAccountRef": {"name": "alter"},
    }});
    let own = with(role, "/spec/credentials", own);
    assert_eq!(check_grant(&long, &own), Ok(vec![]));
    let waiting = with(good_identity(), "/status", json!({}));
    let warnings = check_grant(&good_grant(), &waiting).unwrap();
    assert!(
        warnings[0].contains("AwsIdentity \"default\" is not ready"),
        "{warnings:?}"
    );
}

#[test]
fn every_field_of_an_identity_is_denied_by_name() {
    assert_eq!(check_identity(&good_identity()), Ok(vec![]));
    let expression = |operator: &str, values: Value| {
        json!({"selector": {"matchExpressions": [
            {"key": "ok", "operator": "Exists"},
            {"key": "team", "operator": operator, "values": values},
        ]}})
    };
    for (pointer, value, expected) in [
        ("/spec/region", json!("mars"), "spec.region: "),
        (
            "/spec/endpoints",
            json!({"sts": "sts.example"}),
            "spec.endpoints.sts: \"sts.example\" is no http",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "ftp://sts.example"}),
            "is no http or https URL",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "https://"}),
            "spec.endpoints.sts: ",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "ftp://key:secret@sts.example"}),
            "remove what is before the @",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "https://sts.example/?a=b"}),
            "has a query",
        ),
        (
            "/spec/session",
            json!({"name": "{node}"}),
            "spec.session.name: {node} stands for nothing",
        ),
        (
            "/spec/session",
            json!({"sourceIdentity": "aws:{grant}"}),
            "spec.session.sourceIdentity: ",
        ),
        (
            "/spec/session",
            json!({"externalId": "{grant"}),
            "spec.session.externalId: \"{grant\" has a { without its }",
        ),
        (
            "/spec/session",
            json!({"externalId": "{namespace}-{grant}"}),
            "spec.session.externalId: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            "/spec/allow/0/roleArns",
            json!([
                "arn:aws:iam::111122223333:role/x",
                "arn:aws:iam::111122223333:user/x"
            ]),
            "spec.allow[0].roleArns[1]: ",
        ),
        (
            "/spec/allow/0/tagKeys",
            json!(["team", "alter-x"]),
            "spec.allow[0].tagKeys[1]: tag key \"alter-x\" is reserved",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("Like", json!(["a"])),
            "operator \"Like\" is unknown",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("In", json!([])),
            "spec.allow[0].namespaces.selector.matchExpressions[1]: it has no values",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("Exists", json!(["a"])),
            "matchExpressions[1]: it has values",
        ),
    ] {
        let identity = with(good_identity(), pointer, value.clone());
        let message = check_identity(&identity).unwrap_err();
        assert!(message.contains(expected), "{pointer}: {value}: {message}");
        assert!(!message.contains("secret@"), "{message}");
    }
}

#[test]
fn an_identity_that_is_open_on_the_way_or_of_use_to_nobody_is_warned_of() {
    let plain = json!({"sts": "http://ministack.ministack.svc:4566"});
    let warnings = check_identity(&with(good_identity(), "/spec/endpoints", plain)).unwrap();
    assert!(
        warnings[0].starts_with("spec.endpoints.sts: over http"),
        "{warnings:?}"
    );
    let plain = json!({"rolesanywhere": "HTTP://anywhere.example"});
    let warnings = check_identity(&with(good_identity(), "/spec/endpoints", plain)).unwrap();
    assert!(
        warnings[0].starts_with("spec.endpoints.rolesanywhere: over http"),
        "{warnings:?}"
    );
    let warnings = check_identity(&with(good_identity(), "/spec/allow", json!([]))).unwrap();
    assert!(
        warnings[0].starts_with("spec.allow is empty"),
        "{warnings:?}"
    );
}

#[test]
fn names_that_two_grants_can_share_are_warned_of() {
    for (session, expected) in [
        (
            json!({"name": "{namespace}-{grant}"}),
            "spec.session.name: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            json!({"sourceIdentity": "{grant}{namespace}"}),
            "spec.session.sourceIdentity: \"{grant}{namespace}\" makes one text of",
        ),
        (
            json!({"externalId": "{cluster}/{grant}"}),
            "spec.session.externalId: {grant} without {namespace}: ",
        ),
    ] {
        let warnings = check_identity(&with(good_identity(), "/spec/session", session)).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(expected), "{warnings:?}");
        assert!(warnings[0].len() <= 256, "kubectl cuts it: {warnings:?}");
    }
    let session = json!({"name": "{namespace}.{grant}", "externalId": "{cluster}/{namespace}"});
    let identity = with(good_identity(), "/spec/session", session);
    assert_eq!(check_identity(&identity), Ok(vec![]));
}
