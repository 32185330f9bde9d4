use super::*;
use serde_json::{Value, json};

fn check(field: &str, value: &Value, cluster: &str) -> Result<(), String> {
    let mut spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}});
    spec[field] = value.clone();
    let spec: AwsIdentitySpec = serde_json::from_value(spec).map_err(|e| e.to_string())?;
    spec.check(cluster).map_err(|error| error.to_string())
}

#[test]
fn labels_that_cannot_be_seen_are_not_asked_for() {
    let spec = |namespaces: Value| -> AwsIdentitySpec {
        let named = json!({"names": ["a"]});
        let roles = json!(["arn:aws:iam::111122223333:role/team-a"]);
        let allow = [named, namespaces].map(|own| json!({"namespaces": own, "roleArns": roles}));
        serde_json::from_value(json!({
            "region": "us-east-1", "credentials": {"ambient": {}}, "allow": allow,
        }))
        .unwrap()
    };
    assert_eq!(spec(json!({"names": ["b"]})).check_without_labels(), Ok(()));
    // Also one that selects every namespace, and one that names would do for.
    for namespaces in [
        json!({"selector": {}}),
        json!({"names": ["b"], "selector": {}}),
    ] {
        let error = spec(namespaces).check_without_labels().unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("spec.allow[1].namespaces.selector: "),
            "{message}"
        );
    }
}

#[test]
fn every_field_is_named() {
    for (field, value, start) in [
        ("region", json!("mars"), "spec.region: "),
        (
            "endpoints",
            json!({"sts": "sts.example"}),
            "spec.endpoints.sts: \"sts.example\" is no http",
        ),
        (
            "endpoints",
            json!({"sts": "ftp://sts.example"}),
            "spec.endpoints.sts: \"ftp://sts.example\" is no http",
        ),
        (
            "endpoints",
            json!({"sts": "https://"}),
            "spec.endpoints.sts: ",
        ),
        (
            "endpoints",
            json!({"sts": "ftp://key:secret@sts.example"}),
            "spec.endpoints.sts: it holds a user",
        ),
        (
            "endpoints",
            json!({"sts": "https://sts.example/?a=b"}),
            "spec.endpoints.sts: \"https://sts.example/?a=b\" has a query",
        ),
        (
            "endpoints",
            json!({"iam": "iam.example"}),
            "spec.endpoints.iam: \"iam.example\" is no http",
        ),
        (
            "revocation",
            json!({"roleArn": "arn:aws:iam::1111:role/a"}),
            "spec.revocation.roleArn: ",
        ),
        (
            "credentials",
            json!({"accessKey": {"secretRef": {"name": "a..b"}}}),
            "spec.credentials.accessKey.secretRef.name: ",
        ),
        (
            "session",
            json!({"name": "{node}"}),
            "spec.session.name: {node} stands for nothing",
        ),
        (
            "session",
            json!({"sourceIdentity": "aws:{grant}"}),
            "spec.session.sourceIdentity: ",
        ),
        (
            "session",
            json!({"externalId": "{grant"}),
            "spec.session.externalId: \"{grant\" has a { without its }",
        ),
        (
            "session",
            json!({"externalId": "{namespace}-{grant}"}),
            "spec.session.externalId: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            "session",
            json!({"tags": {"values": {"team": "{namespace};"}}}),
            "spec.session.tags.values[team]: the value of tag \"team\" is refused",
        ),
        (
            "session",
            json!({"tags": {"values": {"eks-team": "{namespace}"}}}),
            "spec.session.tags.values: tag key \"eks-team\" is reserved",
        ),
        (
            "session",
            json!({"tags": {"values": {"Team": "a", "team": "a"}}}),
            "spec.session.tags.values: tag keys \"Team\" and \"team\" differ in case alone",
        ),
        (
            "allow",
            json!([{"namespaces": {"names": ["a"]}, "roleArns": ["*"]}]),
            "spec.allow[0].roleArns[0]: ",
        ),
    ] {
        let message = check(field, &value, "prod").unwrap_err();
        assert!(message.starts_with(start), "{field}: {value}: {message}");
        assert!(!message.contains("secret@"), "{message}");
    }
}

#[test]
fn every_field_of_a_role_of_its_own_is_named() {
    const ANCHOR: &str = "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/a-1";
    const PROFILE: &str = "arn:aws:rolesanywhere:us-east-1:111122223333:profile/b-2";
    const ROLE: &str = "arn:aws:iam::111122223333:role/alter";
    let token = |role: &str, audience: &str, account: &str| json!({"webIdentity": {"roleArn": role, "audience": audience, "serviceAccountRef": {"name": account}}});
    let certificate = |anchor: &str, profile: &str, role: &str, secret: &str| json!({"rolesAnywhere": {"trustAnchorArn": anchor, "profileArn": profile, "roleArn": role, "certificateSecretRef": {"name": secret}}});
    for good in [
        token(ROLE, "sts.amazonaws.com", "alter-operator"),
        json!({"webIdentity": {"roleArn": ROLE, "serviceAccountRef": {"name": "a.b"}}}),
        certificate(ANCHOR, PROFILE, ROLE, "certificate"),
    ] {
        assert_eq!(check("credentials", &good, ""), Ok(()));
    }
    for (value, start) in [
        (token("x", "a", "b"), "webIdentity.roleArn: "),
        (token(ROLE, "", "b"), "webIdentity.audience: it is empty"),
        (
            token(ROLE, "a", "B"),
            "webIdentity.serviceAccountRef.name: ",
        ),
        (
            certificate(PROFILE, PROFILE, ROLE, "a"),
            "rolesAnywhere.trustAnchorArn: ",
        ),
        (
            certificate(ANCHOR, ANCHOR, ROLE, "a"),
            "rolesAnywhere.profileArn: ",
        ),
        (
            certificate(
                ANCHOR,
                &PROFILE.replace("us-east-1", "eu-west-1"),
                ROLE,
                "a",
            ),
            "rolesAnywhere.profileArn: it is of another region than the trust anchor: name a profile of us-east-1",
        ),
        (
            certificate(ANCHOR, PROFILE, "x", "a"),
            "rolesAnywhere.roleArn: ",
        ),
        (
            certificate(ANCHOR, PROFILE, ROLE, "a..b"),
            "rolesAnywhere.certificateSecretRef.name: ",
        ),
    ] {
        let message = check("credentials", &value, "").unwrap_err();
        let start = format!("spec.credentials.{start}");
        assert!(message.starts_with(&start), "{value}: {message}");
    }
    let endpoint = json!({"rolesanywhere": "ftp://a.example"});
    let message = check("endpoints", &endpoint, "").unwrap_err();
    assert!(
        message.starts_with("spec.endpoints.rolesanywhere: \"ftp://a.example\" is no http")
            && message.ends_with("https://rolesanywhere.us-east-1.amazonaws.com"),
        "{message}"
    );
}

#[test]
fn the_clusters_name_is_missed_where_a_template_wants_it() {
    let session = json!({"externalId": "{cluster}/{namespace}"});
    assert_eq!(check("session", &session, "prod"), Ok(()));
    let message = check("session", &session, "").unwrap_err();
    assert!(
        message.starts_with("spec.session.externalId: {cluster} stands for nothing here"),
        "{message}"
    );
}

#[test]
fn what_locks_a_role_is_no_other_grants() {
    let own = |template: &str| {
        [
            ("externalId", json!({"externalId": template})),
            ("sourceIdentity", json!({"sourceIdentity": template})),
            (
                "tags.values[team]",
                json!({"tags": {"values": {"team": template}}}),
            ),
        ]
    };
    for template in [
        "{namespace}-{grant}",
        "{grant}{namespace}",
        "{namespace}-{pod}",
    ] {
        for (field, session) in own(template) {
            let message = check("session", &session, "").unwrap_err();
            let start = format!("spec.session.{field}: {template:?} makes one text of");
            assert!(message.starts_with(&start), "{message}");
        }
    }
    for template in [
        "{namespace}",
        "org-1",
        "{namespace}={grant}",
        "{cluster}-{namespace}",
    ] {
        for (_, session) in own(template) {
            assert_eq!(check("session", &session, "prod"), Ok(()), "{session}");
        }
    }
    // The grants of a team's many namespaces may share it, except for what lets them in by itself.
    for template in ["{grant}", "{serviceAccount}", "{pod}"] {
        let [external_id, others @ ..] = own(template);
        let message = check("session", &external_id.1, "").unwrap_err();
        assert!(message.contains("without {namespace}"), "{message}");
        for (_, session) in others {
            assert_eq!(check("session", &session, ""), Ok(()), "{session}");
        }
    }
}

#[test]
fn names_that_only_people_read_may_be_ambiguous() {
    let session = json!({"name": "{namespace}-{grant}"});
    assert_eq!(check("session", &session, ""), Ok(()));
}
