//! Whose sessions grants are for, and through which roles.

use super::*;

#[test]
fn a_grant_without_a_role_needs_a_rule_and_a_users_key() {
    let without = |spec: Value| {
        let mut grant = good_grant();
        let fields = grant["spec"].as_object_mut().unwrap();
        fields.remove("roleArn");
        fields.extend(spec.as_object().unwrap().clone());
        grant
    };
    let handing = |kind: &str, arn: Value| {
        let key = json!({"accessKey": {"secretRef": {"name": "key"}}});
        let identity = with(good_identity(), "/spec/credentials", key);
        let identity = with(identity, "/spec/allow/0/identitySession", json!(kind));
        with(identity, "/status/arn", arn)
    };
    let user = json!("arn:aws:iam::111122223333:user/alter");
    let bedrock = json!({"bedrock": {"models": ["us.amazon.nova-pro-v1:0"]}});
    for spec in [json!({}), bedrock.clone()] {
        let message = check_grant(&without(spec), &good_identity()).unwrap_err();
        assert!(
            message.contains("roleArn: it is missing, and spec.allow[0] of the identity gives"),
            "{message}"
        );
    }
    let federated = handing("Federated", user.clone());
    assert_eq!(
        check_grant(&without(bedrock.clone()), &federated),
        Ok(vec![])
    );
    let message = check_grant(&without(json!({})), &federated).unwrap_err();
    assert!(message.contains("only with a session policy"), "{message}");
    let full = handing("Full", user);
    assert_eq!(check_grant(&without(json!({})), &full), Ok(vec![]));
    let root = handing("Full", json!("arn:aws:iam::111122223333:root"));
    let message = check_grant(&without(json!({})), &root).unwrap_err();
    assert!(message.contains("the key of an IAM user"), "{message}");
    // Nobody knows yet whose account that is: the list is checked once AWS has said.
    let unknown = handing("Federated", Value::Null);
    assert_eq!(check_grant(&without(bedrock), &unknown), Ok(vec![]));
}

#[test]
fn a_chain_is_inside_one_rule_and_lives_an_hour_at_most() {
    let hub = "arn:aws:iam::111122223333:role/team-a-hub";
    let chained = with(good_grant(), "/spec/roleChain", json!([hub]));
    assert_eq!(check_grant(&chained, &good_identity()), Ok(vec![]));
    let long = with(chained.clone(), "/spec/durationSeconds", json!(7200));
    let message = check_grant(&long, &good_identity()).unwrap_err();
    assert!(
        message.starts_with("spec.durationSeconds: 7200 is more than the 3600"),
        "{message}"
    );
    let narrow = json!(["arn:aws:iam::111122223333:role/team-a-bedrock"]);
    let narrow = with(good_identity(), "/spec/allow/0/roleArns", narrow);
    let message = check_grant(&chained, &narrow).unwrap_err();
    assert!(
        message.contains(&format!("roleChain[0]: {hub} is not among")),
        "{message}"
    );
}

#[test]
fn what_the_identity_lays_down_is_not_the_grants_to_tag() {
    let tags = json!({"tags": {"values": {"Team": "{namespace}"}}});
    let identity = with(good_identity(), "/spec/session", tags);
    let grant = with(good_grant(), "/spec/tags", json!({"team": "other"}));
    let message = check_grant(&grant, &identity).unwrap_err();
    assert!(
        message.starts_with("spec.tags: \"team\" is set by AwsIdentity default"),
        "{message}"
    );
}
