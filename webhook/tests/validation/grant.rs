//! Grants.

use super::*;

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
        (
            "roleChain",
            json!(["arn:aws:iam::111122223333:role/team-a-hub", "x"]),
            "spec.roleChain[1]: \"x\" is no role ARN",
        ),
        ("policy", json!("{"), "spec.policy: it is no JSON"),
        (
            "policyArns",
            json!(["arn:aws:iam::444455556666:policy/x"]),
            "spec.policyArns[0]: \"arn:aws:iam::444455556666:policy/x\" is neither",
        ),
        (
            "bedrock",
            json!({"models": ["*"]}),
            "spec.bedrock.models[0]: \"*\" names no provider",
        ),
        (
            "bedrock",
            json!({"models": (0..9).map(|i| format!("us.anthropic.claude-sonnet-4-2025051{i}-v1:0")).collect::<Vec<_>>()}),
            "spec.bedrock.models: the session policy for these 9 has",
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
            has_broker: false,
        };
        validate::grant::check(&grant, "team-a", around).unwrap()
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
    // Which no `*` gives.
    let denied = check_grant(&long, &own).unwrap_err();
    assert!(denied.contains("written out in roleArns"), "{denied}");
    let roles = json!([good_grant()["spec"]["roleArn"]]);
    let own = with(own, "/spec/allow/0/roleArns", roles);
    assert_eq!(check_grant(&long, &own), Ok(vec![]));
    let waiting = with(good_identity(), "/status", json!({}));
    let warnings = check_grant(&good_grant(), &waiting).unwrap();
    assert!(
        warnings[0].contains("AwsIdentity \"default\" is not ready"),
        "{warnings:?}"
    );
}

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
    assert!(!validate::grant::is_free(
        &read(&good),
        Some(&read(&good_grant()))
    ));
    assert!(validate::grant::is_free(&read(&good), Some(&read(&good))));
}

#[test]
fn a_grant_of_the_broker_waits_where_there_is_none() {
    let identity = with(good_identity(), "/spec/allow/0/stores", json!(["Broker"]));
    let grant = with(good_grant(), "/spec/store", json!("Broker"));
    let warnings = check_grant(&grant, &identity).unwrap();
    let warns = |text: &&String| text.starts_with("spec.store: this installation has no broker");
    assert_eq!(warnings.iter().filter(warns).count(), 1, "{warnings:?}");
    let denied = check_grant(&grant, &good_identity()).unwrap_err();
    assert!(denied.contains("store: spec.allow[0]"), "{denied}");
}
