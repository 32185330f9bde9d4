//! What an identity says about a grant.

use super::*;
use alter_crds::identity::SessionTemplate;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::json;

/// Objects that the tests start from: an identity that is ready, and a grant that it allows.
mod fixtures {
    use super::*;

    pub(super) fn grant() -> AwsGrant {
        let spec = json!({
            "roleArn": "arn:aws:iam::111122223333:role/team-a-bedrock",
            "region": "us-east-1",
        });
        let mut grant = AwsGrant::new("bedrock", serde_json::from_value(spec).unwrap());
        grant.metadata.namespace = Some("team-a".to_owned());
        grant
    }

    pub(super) fn identity() -> AwsIdentity {
        serde_json::from_value(json!({
            "metadata": {"name": "default", "generation": 1},
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
                "arn": "arn:aws:iam::111122223333:user/alter",
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Identified", "message": "m",
                    "lastTransitionTime": "2026-11-22T03:30:00Z",
                }],
            },
        }))
        .unwrap()
    }
}

fn ask(identity: &AwsIdentity, grant: &AwsGrant) -> Lookup {
    look_up(
        Some(identity),
        Labels::Seen(&BTreeMap::new()),
        grant,
        "",
        None,
    )
}

fn digest_of(identity: &AwsIdentity, grant: &AwsGrant) -> String {
    match ask(identity, grant) {
        Lookup::Ready { digest, .. } => digest,
        other => panic!("{other:?}"),
    }
}

fn unready(reason: &str, status: &str) -> AwsIdentity {
    let mut identity = fixtures::identity();
    let own = identity.status.as_mut().unwrap();
    own.conditions[0].reason = reason.to_owned();
    own.conditions[0].status = status.to_owned();
    own.conditions[0].message = "why".to_owned();
    own.arn = None;
    identity
}

#[test]
fn what_has_not_been_seen_decides_nothing() {
    let (identity, grant) = (fixtures::identity(), fixtures::grant());
    let labels = BTreeMap::new();
    assert_eq!(
        look_up(None, Labels::Seen(&labels), &grant, "", None),
        Lookup::Missing
    );
    assert_eq!(
        look_up(Some(&identity), Labels::NotSeenYet, &grant, "", None),
        Lookup::NotSeenYet
    );
    let mut edited = identity.clone();
    edited.metadata.generation = Some(2);
    assert_eq!(ask(&edited, &grant), Lookup::NotSeenYet);
    let fresh = AwsIdentity {
        status: None,
        ..identity
    };
    assert_eq!(ask(&fresh, &grant), Lookup::NotSeenYet);
}

#[test]
fn denial_is_heard_whatever_state_the_identity_is_in() {
    let mut grant = fixtures::grant();
    grant.spec.role_arn = Some("arn:aws:iam::111122223333:role/other".to_owned());
    let mut edited = fixtures::identity();
    edited.metadata.generation = Some(2);
    for identity in [
        fixtures::identity(),
        edited,
        unready(reason::SOURCE_REJECTED, "False"),
    ] {
        assert!(matches!(ask(&identity, &grant), Lookup::Denied(_)));
    }
}

#[test]
fn where_labels_are_hidden_rules_that_ask_for_them_decide_nothing() {
    let (mut identity, grant) = (fixtures::identity(), fixtures::grant());
    let hidden = |identity: &AwsIdentity| look_up(Some(identity), Labels::Hidden, &grant, "", None);
    assert!(matches!(hidden(&identity), Lookup::Ready { .. }));
    identity.spec.allow[0].namespaces.selector = Some(LabelSelector::default());
    assert!(matches!(hidden(&identity), Lookup::NotReady(_)));
}

#[test]
fn the_broker_is_denied_unless_a_rule_allows_it() {
    let (mut identity, mut grant) = (fixtures::identity(), fixtures::grant());
    grant.spec.store = alter_crds::grant::Store::Broker;
    assert!(matches!(ask(&identity, &grant), Lookup::Denied(why) if why.starts_with("store: ")));
    identity.spec.allow[0].stores = vec![alter_crds::identity::AllowedStore::Broker];
    assert!(matches!(ask(&identity, &grant), Lookup::Ready { .. }));
}

#[test]
fn rules_that_cannot_be_read_deny_nobody() {
    let mut grant = fixtures::grant();
    grant.spec.role_arn = Some("arn:aws:iam::111122223333:role/other".to_owned());
    let broken = unready(reason::INVALID_SPEC, "False");
    assert_eq!(ask(&broken, &grant), Lookup::NotReady("why".to_owned()));
}

#[test]
fn rules_that_broke_just_now_deny_nobody_either() {
    let mut broken = fixtures::identity();
    broken.metadata.generation = broken.metadata.generation.map(|own| own + 1);
    broken.spec.allow[0].role_arns = vec!["arn:aws:iam::*:nonsense".to_owned()];
    let found = ask(&broken, &fixtures::grant());
    assert!(
        matches!(&found, Lookup::NotReady(why) if why.starts_with("spec.allow[0].roleArns[0]: ")),
        "{found:?}"
    );
}

#[test]
fn an_identity_that_aws_rejects_is_not_ready_and_says_why() {
    let rejected = unready(reason::SOURCE_REJECTED, "False");
    assert_eq!(
        ask(&rejected, &fixtures::grant()),
        Lookup::NotReady("why".to_owned())
    );
}

#[test]
fn a_caller_that_is_a_session_cannot_give_more_than_an_hour() {
    let mut identity = fixtures::identity();
    let mut grant = fixtures::grant();
    grant.spec.duration_seconds = 3_601;
    assert!(
        matches!(ask(&identity, &grant), Lookup::Ready { .. }),
        "a user may"
    );
    let arn = "arn:aws:sts::111122223333:assumed-role/alter/pod".to_owned();
    identity.status.as_mut().unwrap().arn = Some(arn);
    let Lookup::Invalid { message, .. } = ask(&identity, &grant) else {
        panic!()
    };
    assert!(
        message.starts_with("spec.durationSeconds: 3601") && message.contains("write 3600 or less")
    );
    grant.spec.duration_seconds = 3_600;
    assert!(matches!(ask(&identity, &grant), Lookup::Ready { .. }));
}

#[test]
fn the_identitys_own_role_is_entered_directly_and_has_no_cap() {
    let (mut identity, mut grant) = (fixtures::identity(), fixtures::grant());
    let own = serde_json::json!({"webIdentity": {
        "roleArn": grant.spec.role_arn, "serviceAccountRef": {"name": "alter"},
    }});
    identity.spec.credentials = serde_json::from_value(own).unwrap();
    let arn = "arn:aws:sts::111122223333:assumed-role/team-a-bedrock/alter.default";
    identity.status.as_mut().unwrap().arn = Some(arn.to_owned());
    grant.spec.duration_seconds = 43_200;
    assert!(matches!(ask(&identity, &grant), Lookup::Denied(_)));
    let roles = &mut identity.spec.allow[0].role_arns;
    roles.extend(grant.spec.role_arn.clone());
    assert!(matches!(ask(&identity, &grant), Lookup::Ready { .. }));
    grant.spec.role_arn = grant.spec.role_arn.map(|own| own + "-other");
    assert!(matches!(ask(&identity, &grant), Lookup::Invalid { .. }));
}

#[test]
fn a_session_without_a_role_is_of_the_user_that_aws_names() {
    let (mut identity, mut grant) = (fixtures::identity(), fixtures::grant());
    grant.spec.role_arn = None;
    let models = serde_json::json!({"models": ["us.amazon.nova-pro-v1:0"]});
    grant.spec.bedrock = serde_json::from_value(models).unwrap();
    assert!(matches!(ask(&identity, &grant), Lookup::Denied(_)));
    let session = serde_json::json!("Federated");
    identity.spec.allow[0].identity_session = serde_json::from_value(session).unwrap();
    let before = digest_of(&identity, &grant);
    let mut of = |arn: &str| {
        identity.status.as_mut().unwrap().arn = Some(arn.to_owned());
        ask(&identity, &grant)
    };
    assert!(matches!(
        of("arn:aws:iam::111122223333:user/other"),
        Lookup::Ready { digest, .. } if digest != before
    ));
    for arn in [
        "arn:aws:iam::111122223333:root",
        "arn:aws:sts::111122223333:assumed-role/alter/pod",
    ] {
        let Lookup::Invalid { message, .. } = of(arn) else {
            panic!("{arn}")
        };
        assert!(message.contains("the key of an IAM user"), "{message}");
    }
}

#[test]
fn fields_that_cannot_be_used_are_named() {
    let (mut identity, mut grant) = (fixtures::identity(), fixtures::grant());
    grant.spec.refresh_before = Some("soon".to_owned());
    let named = |lookup, field: &str| match lookup {
        Lookup::Invalid { message, .. } => assert!(message.contains(field), "{message}"),
        other => panic!("{other:?}"),
    };
    named(ask(&identity, &grant), "spec.refreshBefore: ");
    grant = fixtures::grant();
    grant.spec.secret_template = Some(alter_crds::grant::SecretTemplate {
        labels: [("no label".to_owned(), String::new())].into(),
        ..Default::default()
    });
    named(ask(&identity, &grant), "spec.secretTemplate.labels: ");
    grant = fixtures::grant();
    identity.spec.session = Some(SessionTemplate {
        name: Some("{cluster}-{grant}".to_owned()),
        ..SessionTemplate::default()
    });
    named(ask(&identity, &grant), "spec.session.name");
}

#[test]
fn the_digest_changes_with_session_and_files_and_nothing_else() {
    let (identity, grant) = (fixtures::identity(), fixtures::grant());
    let before = digest_of(&identity, &grant);
    let changed = |change: fn(&mut AwsGrant)| {
        let mut grant = grant.clone();
        change(&mut grant);
        digest_of(&identity, &grant) != before
    };
    assert!(changed(|grant| grant.spec.duration_seconds = 900));
    assert!(changed(|grant| grant.spec.region = "eu-west-1".to_owned()));
    assert!(changed(
        |grant| grant.spec.service_accounts = vec!["app".to_owned()]
    ));
    assert!(changed(|grant| {
        grant.spec.secret_template = Some(alter_crds::grant::SecretTemplate {
            env: true,
            ..Default::default()
        });
    }));
    assert!(!changed(
        |grant| grant.spec.refresh_before = Some("40m".to_owned())
    ));
    assert!(!changed(|grant| grant.metadata.generation = Some(9)));
    let mut wider = identity.clone();
    wider.spec.allow[0]
        .namespaces
        .names
        .push("team-b".to_owned());
    assert_eq!(digest_of(&wider, &grant), before);
}
