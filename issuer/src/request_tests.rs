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
    let mut grant = AwsGrant::new("bedrock", serde_json::from_value(whole).unwrap());
    grant.metadata.namespace = Some("team-a".to_owned());
    grant
}

fn planned(session: &serde_json::Value, spec: &serde_json::Value) -> Result<RoleRequest, String> {
    plan(&identity(session).spec, &grant(spec), "prod").map_err(|error| error.to_string())
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
    let request = plan(&identity(&session).spec, &grant(&json!({})), "").unwrap();
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

#[test]
fn the_digest_changes_with_each_thing_that_a_session_depends_on() {
    let request = planned(&json!({}), &json!({})).unwrap();
    let own = identity(&json!({}));
    let first = digest(&own, &request);
    assert_eq!(first.len(), 64);
    assert_eq!(first, digest(&own, &request));

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
    ];
    let mut digests: Vec<_> = requests
        .iter()
        .map(|request| digest(&own, request))
        .collect();
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
        digests.push(digest(&changed, &request));
    }
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
    assert_eq!(digest(&allowed, &request), digest(&own, &request));
}
