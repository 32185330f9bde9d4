use super::*;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/team-a";
const USER: &str = "arn:aws:iam::111122223333:user/alter";

fn grant(fields: &Value) -> AwsGrantSpec {
    let mut spec = json!({"roleArn": ROLE, "region": "us-east-1"});
    let own = spec.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    own.retain(|_, value| !value.is_null());
    serde_json::from_value(spec).unwrap()
}

fn identity(arn: Option<&str>, fields: &Value) -> AwsIdentity {
    let mut spec = json!({
        "region": "us-east-1",
        "credentials": {"accessKey": {"secretRef": {"name": "key"}}},
    });
    let own = spec.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    let mut identity = AwsIdentity::new("default", serde_json::from_value(spec).unwrap());
    identity.status = Some(serde_json::from_value(json!({"arn": arn})).unwrap());
    identity
}

fn message(checked: Result<(), FieldError>) -> String {
    checked.unwrap_err().to_string()
}

#[test]
fn each_part_of_a_session_policy_is_named() {
    let policy = json!({"Statement": []}).to_string();
    let bedrock = json!({"models": ["anthropic.claude-3*"]});
    for (fields, start) in [
        (json!({"policy": "{"}), "spec.policy: it is no JSON"),
        (
            json!({"policy": format!("{{\"Statement\":[],\"Id\":\"{}\"}}", "x".repeat(2_048))}),
            "spec.policy: it has 2072 characters",
        ),
        (
            json!({"policyArns": ["arn:aws:iam::aws:policy/x", "y"]}),
            "spec.policyArns[1]: \"y\" is no ARN",
        ),
        (
            json!({"policyArns": ["arn:aws:iam::444455556666:policy/x"]}),
            "spec.policyArns[0]: \"arn:aws:iam::444455556666:policy/x\" is neither",
        ),
        (
            json!({"policyArns": (0..11).map(|i| format!("arn:aws:iam::aws:policy/{i}")).collect::<Vec<_>>()}),
            "spec.policyArns: AWS takes 10",
        ),
        (
            json!({"bedrock": {"models": ["anthropic.claude", "*"]}}),
            "spec.bedrock.models[1]: \"*\" names no provider",
        ),
        (
            json!({"bedrock": {"models": []}}),
            "spec.bedrock.models: it lists no model",
        ),
        (
            json!({"bedrock": {"models": (0..30).map(|i| format!("us.anthropic.claude-{i}")).collect::<Vec<_>>()}}),
            "spec.bedrock.models: the session policy for these 30 has",
        ),
        (
            json!({"bedrock": {"models": ["anthropic.claude"], "guardrail": "x"}}),
            "spec.bedrock.guardrail: \"x\" is no guardrail",
        ),
        (
            json!({"bedrock": bedrock, "policy": policy}),
            "spec.bedrock: beside spec.policy",
        ),
        (
            json!({"bedrock": bedrock, "policyArns": ["arn:aws:iam::aws:policy/x"]}),
            "spec.bedrock: beside spec.policy",
        ),
    ] {
        let text = message(grant(&fields).check());
        assert!(text.starts_with(start), "{text}");
    }
    assert_eq!(grant(&json!({"bedrock": bedrock})).check(), Ok(()));
    let both = json!({"policy": policy, "policyArns": ["arn:aws:iam::aws:policy/x"]});
    assert_eq!(grant(&both).check(), Ok(()));
}

#[test]
fn the_policy_is_of_the_roles_account_or_of_the_users() {
    let models = json!({"models": ["us.amazon.nova-pro-v1:0"]});
    let document = |fields: &Value, caller: Option<&str>| {
        let grant = grant(fields);
        let owner = grant.owner(caller).unwrap();
        grant.session_policy(owner).unwrap().document.unwrap()
    };
    let other = Some("arn:aws-us-gov:iam::444455556666:user/alter");
    let text = document(&json!({"bedrock": models}), other);
    assert!(
        text.contains("arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova"),
        "{text}"
    );
    let text = document(&json!({"bedrock": models, "roleArn": null}), other);
    assert!(
        text.contains("arn:aws-us-gov:bedrock:us-east-1:444455556666:inference-profile/us.amazon"),
        "{text}"
    );
    let without = grant(&json!({"bedrock": models, "roleArn": null}));
    assert_eq!(without.owner(None), None);
    assert_eq!(without.check(), Ok(()), "of each part by itself");
}

#[test]
fn the_policy_says_which_session_a_grant_without_a_role_is_for() {
    let kind = |fields: Value| grant(&fields).session_kind();
    assert_eq!(kind(json!({})), SessionKind::Role);
    assert_eq!(kind(json!({"roleArn": null})), SessionKind::Full);
    for fields in [
        json!({"roleArn": null, "policy": "{}"}),
        json!({"roleArn": null, "policyArns": ["arn:aws:iam::aws:policy/x"]}),
        json!({"roleArn": null, "bedrock": {"models": ["a.b"]}}),
    ] {
        assert_eq!(kind(fields), SessionKind::Federated);
    }
}

#[test]
fn what_is_of_a_role_needs_one() {
    for (fields, start) in [
        (json!({"roleChain": [ROLE]}), "spec.roleChain: it is of"),
        (json!({"externalId": "ab"}), "spec.externalId: it is of"),
        (json!({"sessionName": "ab"}), "spec.sessionName: it is of"),
        (
            json!({"tags": {"team": "a"}}),
            "spec.tags: a session without role and policy",
        ),
    ] {
        assert_eq!(grant(&fields).check(), Ok(()));
        let mut without = fields.clone();
        without["roleArn"] = Value::Null;
        let text = message(grant(&without).check());
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn each_hop_of_a_chain_is_a_role_and_the_cap_is_known() {
    let text = message(grant(&json!({"roleChain": [ROLE, "x"]})).check());
    assert!(
        text.starts_with("spec.roleChain[1]: \"x\" is no role"),
        "{text}"
    );
    let long = grant(&json!({"roleChain": [ROLE], "durationSeconds": 3_601}));
    let text = message(long.check());
    assert!(
        text.starts_with("spec.durationSeconds: 3601 is more than the 3600")
            && text.ends_with("write 3600 or less, or remove spec.roleChain"),
        "{text}"
    );
}

#[test]
fn the_cap_holds_for_sessions_callers_and_for_roles_alone() {
    let long = grant(&json!({"durationSeconds": 3_601}));
    let none = json!({});
    assert_eq!(check_cap(&identity(Some(USER), &none), &long), Ok(()));
    assert_eq!(check_cap(&identity(None, &none), &long), Ok(()));
    let session = "arn:aws:sts::111122223333:assumed-role/alter/pod";
    let text = message(check_cap(&identity(Some(session), &none), &long));
    assert!(
        text.contains(session) && text.contains("write 3600 or less"),
        "{text}"
    );
    let chained = grant(&json!({"durationSeconds": 3_601, "roleChain": [ROLE]}));
    assert!(check_cap(&identity(Some(USER), &none), &chained).is_err());
    let own = grant(&json!({"durationSeconds": 3_601, "roleArn": null}));
    assert_eq!(check_cap(&identity(Some(USER), &none), &own), Ok(()));
}

#[test]
fn a_session_without_a_role_is_a_users() {
    let own = grant(&json!({"roleArn": null, "policy": "{\"Statement\":[]}"}));
    assert_eq!(check(&identity(Some(USER), &json!({})), &own), Ok(()));
    assert_eq!(check(&identity(None, &json!({})), &own), Ok(()));
    let ambient = json!({"credentials": {"ambient": {}}});
    let text = message(check(&identity(Some(USER), &ambient), &own));
    assert!(
        text.contains("only an AwsIdentity with an access key"),
        "{text}"
    );
    for arn in [
        "arn:aws:sts::111122223333:assumed-role/a/b",
        "arn:aws:sts::111122223333:federated-user/a",
        "arn:aws:iam::111122223333:root",
    ] {
        let text = message(check(&identity(Some(arn), &json!({})), &own));
        assert!(
            text.starts_with("spec.roleArn: ") && text.contains(arn),
            "{text}"
        );
    }
}

#[test]
fn the_identitys_tags_are_not_the_grants_to_set() {
    let session = json!({"session": {"tags": {"values": {"Team": "{namespace}"}}}});
    let identity = identity(Some(USER), &session);
    let other = grant(&json!({"tags": {"owner": "a"}}));
    assert_eq!(check(&identity, &other), Ok(()));
    let text = message(check(&identity, &grant(&json!({"tags": {"team": "a"}}))));
    assert_eq!(
        text,
        "spec.tags: \"team\" is set by AwsIdentity default: remove it"
    );
}
