use super::*;
use serde_json::json;

fn identity() -> AwsIdentity {
    let spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}});
    AwsIdentity::new("default", serde_json::from_value(spec).unwrap())
}

fn role() -> RoleRequest {
    RoleRequest {
        role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
        session_name: "alter.team-a.bedrock".to_owned(),
        duration_seconds: 3600,
        external_id: None,
        source_identity: None,
        tags: [].into(),
        policy: SessionPolicy::default(),
    }
}

fn of(identity: &AwsIdentity, role: &RoleRequest) -> String {
    let request = SessionRequest::Role {
        hops: Vec::new(),
        role: role.clone(),
    };
    digest(identity, &request)
}

/// An upgrade must not issue every session anew at once.
#[test]
fn the_digest_of_a_plain_grant_is_that_of_the_first_release() {
    let text = r#"{"identity":"default","region":"us-east-1","endpoint":null,"credentials":{"ambient":{}},"role_arn":"arn:aws:iam::111122223333:role/team-a","session_name":"alter.team-a.bedrock","duration_seconds":3600,"external_id":null,"source_identity":null,"tags":{}}"#;
    assert_eq!(of(&identity(), &role()), hex(&Sha256::digest(text)));
}

/// What is asked for with roles before that one, or without a role.
fn others(role: &RoleRequest) -> Vec<SessionRequest> {
    let hop = |role_arn: &str| RoleRequest {
        role_arn: role_arn.to_owned(),
        ..role.clone()
    };
    let federated = |name: &str, policy: &str| FederationRequest {
        name: name.to_owned(),
        duration_seconds: 3600,
        tags: [].into(),
        policy: SessionPolicy {
            document: Some(policy.to_owned()),
            arns: Vec::new(),
        },
    };
    let user = || "u".to_owned();
    vec![
        SessionRequest::Role {
            hops: vec![hop("a")],
            role: role.clone(),
        },
        SessionRequest::Role {
            hops: vec![hop("a"), hop("b")],
            role: role.clone(),
        },
        SessionRequest::Federated {
            user: user(),
            request: federated("n", "p"),
        },
        SessionRequest::Federated {
            user: "v".to_owned(),
            request: federated("n", "p"),
        },
        SessionRequest::Federated {
            user: user(),
            request: federated("m", "p"),
        },
        SessionRequest::Federated {
            user: user(),
            request: federated("n", "q"),
        },
        SessionRequest::Full {
            user: user(),
            duration_seconds: 3600,
        },
        SessionRequest::Full {
            user: user(),
            duration_seconds: 900,
        },
    ]
}

#[test]
fn the_digest_changes_with_each_thing_that_a_session_depends_on() {
    let request = role();
    let own = identity();
    let first = of(&own, &request);
    assert_eq!(first.len(), 64);
    assert_eq!(first, of(&own, &request));

    let requests = [
        RoleRequest {
            role_arn: "other".to_owned(),
            ..request.clone()
        },
        RoleRequest {
            session_name: "other".to_owned(),
            ..request.clone()
        },
        RoleRequest {
            duration_seconds: 900,
            ..request.clone()
        },
        RoleRequest {
            external_id: Some(String::new()),
            ..request.clone()
        },
        RoleRequest {
            source_identity: Some(String::new()),
            ..request.clone()
        },
        RoleRequest {
            tags: [("a".to_owned(), "b".to_owned())].into(),
            ..request.clone()
        },
        RoleRequest {
            tags: [("a".to_owned(), "bc".to_owned())].into(),
            ..request.clone()
        },
        RoleRequest {
            tags: [("ab".to_owned(), "c".to_owned())].into(),
            ..request.clone()
        },
        RoleRequest {
            policy: SessionPolicy {
                document: Some("{}".to_owned()),
                arns: Vec::new(),
            },
            ..request.clone()
        },
        RoleRequest {
            policy: SessionPolicy {
                document: None,
                arns: vec!["{}".to_owned()],
            },
            ..request.clone()
        },
    ];
    let mut digests: Vec<_> = requests.iter().map(|request| of(&own, request)).collect();
    for change in [
        |identity: &mut AwsIdentity| identity.metadata.name = Some("other".to_owned()),
        |identity: &mut AwsIdentity| identity.spec.region = "eu-west-1".to_owned(),
        |identity: &mut AwsIdentity| {
            identity.spec.endpoints = serde_json::from_value(json!({"sts": "http://sts"})).unwrap();
        },
        |identity: &mut AwsIdentity| {
            let key = json!({"accessKey": {"secretRef": {"name": "key"}}});
            identity.spec.credentials = serde_json::from_value(key).unwrap();
        },
    ] {
        let mut changed = own.clone();
        change(&mut changed);
        digests.push(of(&changed, &request));
    }
    digests.extend(others(&request).iter().map(|other| digest(&own, other)));
    digests.push(first);
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);

    // What decides who may ask is no part of the session.
    let mut allowed = own.clone();
    allowed.spec.allow = serde_json::from_value(json!([{
        "namespaces": {"names": ["team-a"]},
        "roleArns": ["arn:aws:iam::111122223333:role/*"],
    }]))
    .unwrap();
    assert_eq!(of(&allowed, &request), of(&own, &request));
}
