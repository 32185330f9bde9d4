use super::*;
use serde_json::json;

fn identity(session: &serde_json::Value) -> AwsIdentity {
    let spec = json!({
        "region": "us-east-1",
        "credentials": {"ambient": {}},
        "session": session,
    });
    AwsIdentity::new("default", serde_json::from_value(spec).unwrap())
}

fn grant(spec: &serde_json::Value) -> AwsGrant {
    let mut whole = json!({
        "roleArn": "arn:aws:iam::111122223333:role/team-a",
        "region": "eu-west-1",
    });
    let fields = whole.as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    let mut grant = AwsGrant::new("bedrock", serde_json::from_value(whole).unwrap());
    grant.metadata.namespace = Some("team-a".to_owned());
    grant
}

fn planned(session: &serde_json::Value, spec: &serde_json::Value) -> Result<RoleRequest, String> {
    role_of(plan(&identity(session), &grant(spec), "prod", None))
}

fn role_of(planned: Result<SessionRequest, RequestError>) -> Result<RoleRequest, String> {
    match planned.map_err(|error| error.to_string())? {
        SessionRequest::Role { role, .. } => Ok(role),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_set_that_nobody_asked_for() {
    let request = planned(&json!({}), &json!({})).unwrap();
    assert_eq!(
        request,
        RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
            session_name: "alter.team-a.bedrock".to_owned(),
            duration_seconds: 3600,
            external_id: None,
            source_identity: None,
            tags: [].into(),
            policy: SessionPolicy::default(),
        }
    );
}

#[test]
fn the_identity_templates_hold() {
    let session = json!({
        "name": "{cluster}.{namespace}",
        "sourceIdentity": "{namespace}",
        "externalId": "org:{cluster}:{grant}",
        "tags": {"enabled": true},
    });
    let request = planned(&session, &json!({"tags": {"team": "a"}})).unwrap();
    assert_eq!(request.session_name, "prod.team-a");
    assert_eq!(request.source_identity.as_deref(), Some("team-a"));
    assert_eq!(request.external_id.as_deref(), Some("org:prod:bedrock"));
    let tags: Vec<_> = request
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags,
        [
            ("alter-cluster", "prod"),
            ("alter-grant", "bedrock"),
            ("alter-namespace", "team-a"),
            ("team", "a"),
        ]
    );
}

#[test]
fn a_cluster_without_a_name_has_no_tag() {
    let session = json!({"tags": {"enabled": true}});
    let request = role_of(plan(&identity(&session), &grant(&json!({})), "", None)).unwrap();
    assert_eq!(request.tags.len(), 2);
    let off = json!({"tags": {"enabled": false}});
    assert!(planned(&off, &json!({})).unwrap().tags.is_empty());
}

#[test]
fn the_identity_lays_down_tags_that_no_grant_overrides() {
    let session = json!({"tags": {"values": {"Owner": "{namespace} of {cluster}"}}});
    let request = planned(&session, &json!({"tags": {"team": "a"}})).unwrap();
    let tags: Vec<_> = request.tags.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(tags, [("Owner", "team-a of prod"), ("team", "a")]);
    let error = planned(&session, &json!({"tags": {"owner": "me"}})).unwrap_err();
    assert!(
        error.starts_with("spec.tags: \"owner\" is set by AwsIdentity default: remove it"),
        "{error}"
    );
}

#[test]
fn no_session_that_pods_share_is_called_after_one() {
    for session in [
        json!({"name": "{pod}"}),
        json!({"sourceIdentity": "{serviceAccount}"}),
        json!({"externalId": "{pod}"}),
        json!({"tags": {"values": {"pod": "{pod}"}}}),
    ] {
        let error = planned(&session, &json!({})).unwrap_err();
        assert!(error.contains("set store: Broker"), "{error}");
    }
}

#[test]
fn what_the_grant_chooses_outranks_the_templates() {
    let session = json!({"name": "{namespace}", "externalId": "{namespace}"});
    let spec = json!({"sessionName": "own", "externalId": "own:id", "durationSeconds": 900});
    let request = planned(&session, &spec).unwrap();
    assert_eq!(request.session_name, "own");
    assert_eq!(request.external_id.as_deref(), Some("own:id"));
    assert_eq!(request.duration_seconds, 900);
}

#[test]
fn mistakes_name_their_field() {
    for (session, spec, start) in [
        (
            json!({"name": "{node}"}),
            json!({}),
            "AwsIdentity default, spec.session.name: {node}",
        ),
        (
            json!({"sourceIdentity": "a b"}),
            json!({}),
            "AwsIdentity default, spec.session.sourceIdentity: \"a b\"",
        ),
        (
            json!({"externalId": "{grant"}),
            json!({}),
            "AwsIdentity default, spec.session.externalId: ",
        ),
        (
            json!({}),
            json!({"sessionName": "a b"}),
            "spec.sessionName: \"a b\"",
        ),
        (
            json!({}),
            json!({"externalId": "ä"}),
            "spec.externalId: \"ä\"",
        ),
        (
            json!({}),
            json!({"tags": {"Alter-Namespace": "other"}}),
            "spec.tags: tag key \"Alter-Namespace\"",
        ),
    ] {
        let error = planned(&session, &spec).unwrap_err();
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn own_tags_count_towards_the_fifty() {
    let tags = |n: usize| -> serde_json::Value {
        let tags: BTreeMap<String, String> =
            (0..n).map(|i| (format!("k{i}"), String::new())).collect();
        json!({"tags": tags})
    };
    let session = json!({"tags": {"enabled": true}});
    assert_eq!(planned(&session, &tags(47)).unwrap().tags.len(), 50);
    let error = planned(&session, &tags(48)).unwrap_err();
    assert!(error.contains("51 session tags"), "{error}");
}

const POLICY: &str = r#"{ "Statement": [] }"#;

#[test]
fn a_session_policy_is_sent_as_it_is_counted() {
    let request = planned(&json!({}), &json!({"policy": POLICY})).unwrap();
    assert_eq!(
        request.policy.document.as_deref(),
        Some(r#"{"Statement":[]}"#)
    );
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let request = planned(&json!({}), &json!({"policyArns": [arn]})).unwrap();
    assert_eq!(request.policy.arns, [arn]);
    let bedrock = json!({"bedrock": {"models": ["us.amazon.nova-pro-v1:0"]}});
    let document = planned(&json!({}), &bedrock).unwrap().policy.document;
    let profile =
        "arn:aws:bedrock:eu-west-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0";
    assert!(document.unwrap().contains(profile));
}

#[test]
fn a_hop_carries_nothing_of_the_grant() {
    let session = json!({
        "sourceIdentity": "{namespace}", "externalId": "{grant}", "tags": {"enabled": true},
    });
    let hop = "arn:aws:iam::444455556666:role/hub";
    let spec = json!({"roleChain": [hop], "policy": POLICY, "tags": {"team": "a"}});
    let planned = plan(&identity(&session), &grant(&spec), "prod", None).unwrap();
    let SessionRequest::Role { hops, role } = planned else {
        panic!("{planned:?}");
    };
    let expected = RoleRequest {
        role_arn: hop.to_owned(),
        session_name: "alter.default".to_owned(),
        duration_seconds: 3_600,
        external_id: None,
        source_identity: None,
        tags: [].into(),
        policy: SessionPolicy::default(),
    };
    assert_eq!(hops, [expected]);
    assert_eq!(role.session_name, "alter.team-a.bedrock");
    assert_eq!(role.source_identity.as_deref(), Some("team-a"));
    assert_eq!((role.tags.len(), role.policy.is_empty()), (4, false));
}

fn keyed(arn: Option<&str>, session: &serde_json::Value) -> AwsIdentity {
    let mut identity = identity(session);
    let key = json!({"accessKey": {"secretRef": {"name": "key"}}});
    identity.spec.credentials = serde_json::from_value(key).unwrap();
    identity.status = Some(serde_json::from_value(json!({"arn": arn})).unwrap());
    identity
}

const USER: &str = "arn:aws:iam::444455556666:user/alter";

#[test]
fn a_grant_without_a_role_has_a_session_of_the_user() {
    let session =
        json!({"name": "{cluster}", "externalId": "{namespace}", "tags": {"enabled": true}});
    let identity = keyed(Some(USER), &session);
    let bedrock = json!({"models": ["us.amazon.nova-pro-v1:0"]});
    let federated = grant(&json!({"roleArn": null, "bedrock": bedrock, "durationSeconds": 7200}));
    let SessionRequest::Federated { user, request } =
        plan(&identity, &federated, "", None).unwrap()
    else {
        panic!();
    };
    assert_eq!(
        (user.as_str(), request.name.as_str()),
        (USER, "team-a.bedrock")
    );
    assert_eq!((request.duration_seconds, request.tags.len()), (7_200, 2));
    let document = request.policy.document.unwrap();
    assert!(
        document.contains("arn:aws:bedrock:eu-west-1:444455556666:inference-profile/us.amazon"),
        "{document}"
    );
    let full = plan(&identity, &grant(&json!({"roleArn": null})), "", None).unwrap();
    let expected = SessionRequest::Full {
        user: USER.to_owned(),
        duration_seconds: 3_600,
    };
    assert_eq!(full, expected);
}

#[test]
fn nobodys_session_is_asked_for() {
    let bedrock = json!({"roleArn": null, "bedrock": {"models": ["amazon.nova*"]}});
    let error = plan(&keyed(None, &json!({})), &grant(&bedrock), "", None).unwrap_err();
    assert!(matches!(error, RequestError::NotSeenYet { .. }), "{error}");
    let root = keyed(Some("arn:aws:iam::444455556666:root"), &json!({}));
    for spec in [bedrock, json!({"roleArn": null})] {
        let error = plan(&root, &grant(&spec), "", None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("the key of an IAM user"), "{error}");
    }
}

#[test]
fn a_pods_own_session_names_it_where_the_identity_asks_for_that() {
    let session = json!({
        "name": "{namespace}@{pod}",
        "sourceIdentity": "{serviceAccount}",
        "tags": {"enabled": true},
    });
    let pod = Pod {
        name: "app-1",
        service_account: "app",
    };
    let identity = identity(&session);
    let grant = grant(&json!({"store": "Broker"}));
    let request = role_of(plan(&identity, &grant, "", Some(pod))).unwrap();
    assert_eq!(request.session_name, "team-a@app-1");
    assert_eq!(request.source_identity.as_deref(), Some("app"));
    assert_eq!(request.tags["alter-pod"], "app-1");
    assert_eq!(request.tags["alter-service-account"], "app");
    let error = plan(&identity, &grant, "", None).unwrap_err();
    let expected = "AwsIdentity default, spec.session.name: {pod} stands for nothing";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn pods_share_a_session_that_names_none() {
    let of = |session: &serde_json::Value, name: &str| {
        let pod = Pod {
            name,
            service_account: "app",
        };
        let identity = identity(session);
        let request = plan(&identity, &grant(&json!({})), "", Some(pod)).unwrap();
        crate::digest::digest(&identity, &request)
    };
    let shared = json!({"name": "{namespace}.{serviceAccount}"});
    assert_eq!(of(&shared, "app-1"), of(&shared, "app-2"));
    let own = json!({"name": "{namespace}.{pod}"});
    assert_ne!(of(&own, "app-1"), of(&own, "app-2"));
}
