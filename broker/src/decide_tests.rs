use super::*;
use alter_policy::template::DEFAULT_SESSION_NAME;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is known, in which each test changes something.
struct World {
    caller: Caller,
    pod: Option<Value>,
    grant: Value,
    identity: Value,
    namespace: Value,
}

fn world() -> World {
    World {
        caller: Caller {
            namespace: "team-a".to_owned(),
            service_account: "app".to_owned(),
            pod: "app-1".to_owned(),
            uid: "u-1".to_owned(),
        },
        pod: Some(json!({"name": "app-1", "namespace": "team-a", "uid": "u-1"})),
        grant: json!({
            "metadata": {"name": "bedrock", "namespace": "team-a", "uid": "g-1"},
            "spec": {
                "roleArn": "arn:aws:iam::111122223333:role/team-a",
                "region": "us-east-1",
                "store": "Broker",
            },
        }),
        identity: json!({
            "metadata": {"name": "default", "generation": 1},
            "spec": {
                "region": "us-east-1",
                "credentials": {"ambient": {}},
                "allow": [{
                    "namespaces": {"names": ["team-a"]},
                    "roleArns": ["arn:aws:iam::111122223333:role/team-a"],
                    "stores": ["Broker"],
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
        }),
        namespace: json!({"name": "team-a"}),
    }
}

fn now() -> Timestamp {
    "2026-11-22T04:00:00Z".parse().unwrap()
}

impl World {
    fn verdict(&self) -> Verdict {
        fn read<T: serde::de::DeserializeOwned>(json: &Value) -> T {
            serde_json::from_value(json.clone()).unwrap()
        }
        let pod: Option<ObjectMeta> = self.pod.as_ref().map(read);
        let (grant, identity): (AwsGrant, AwsIdentity) = (read(&self.grant), read(&self.identity));
        let namespace: ObjectMeta = read(&self.namespace);
        decide(&Input {
            caller: &self.caller,
            pod: pod.as_ref(),
            name: "bedrock",
            grant: Some(Ok(&grant)),
            identity: Some(Ok(&identity)),
            labels: Labels::Seen(&BTreeMap::new()),
            namespace_leaves: namespace.deletion_timestamp.is_some(),
            cluster: "",
            now: now(),
        })
    }

    fn reason(&self) -> String {
        match self.verdict() {
            Verdict::Refused(why) => format!("refused {}", why.reason),
            Verdict::Waiting(why) => format!("waiting {}", why.reason),
            Verdict::Session(_) => "session".to_owned(),
        }
    }
}

#[test]
fn a_running_pod_gets_a_session() {
    assert_eq!(world().reason(), "session");
}

#[test]
fn a_pod_that_terminates_is_served_within_its_grace_and_not_after() {
    let mut world = world();
    world.pod.as_mut().unwrap()["deletionTimestamp"] = json!("2026-11-22T04:00:30Z");
    assert_eq!(world.reason(), "session");
    world.pod.as_mut().unwrap()["deletionTimestamp"] = json!("2026-11-22T04:00:00Z");
    assert_eq!(world.reason(), "refused PodGone");
    world.pod = None;
    assert_eq!(world.reason(), "refused PodGone");
}

#[test]
fn every_rule_of_the_grant_refuses() {
    for (field, value, reason) in [
        ("suspend", json!(true), "refused Suspended"),
        ("store", json!("Secret"), "refused StoreChanged"),
        (
            "serviceAccounts",
            json!(["other"]),
            "refused ServiceAccountNotAllowed",
        ),
        (
            "deliveries",
            json!(["endpoint"]),
            "refused DeliveryNotAllowed",
        ),
        (
            "roleArn",
            json!("arn:aws:iam::111122223333:role/other"),
            "refused NotAllowed",
        ),
        ("refreshBefore", json!("soon"), "waiting InvalidSpec"),
    ] {
        let mut world = world();
        world.grant["spec"][field] = value;
        assert_eq!(world.reason(), reason, "{field}");
    }
    for change in ["grant", "namespace"] {
        let mut world = world();
        let at = match change {
            "grant" => &mut world.grant["metadata"],
            _ => &mut world.namespace,
        };
        at["deletionTimestamp"] = json!("2026-11-22T03:59:00Z");
        assert_eq!(world.reason(), "refused Deleted", "{change}");
    }
}

#[test]
fn the_delivery_is_the_one_of_the_pods_annotation() {
    let mut world = world();
    world.grant["spec"]["deliveries"] = json!(["endpoint"]);
    let pod = world.pod.as_mut().unwrap();
    pod["annotations"] = json!({"alter.dev/delivery": " endpoint "});
    assert_eq!(world.reason(), "session");
}

#[test]
fn an_identity_without_the_rule_refuses_the_broker() {
    let mut world = world();
    world.identity["spec"]["allow"][0]["stores"] = json!([]);
    assert_eq!(world.reason(), "refused NotAllowed");
}

#[test]
fn what_is_not_known_takes_nothing_away() {
    let mut world = world();
    world.identity["metadata"]["generation"] = json!(2);
    assert_eq!(world.reason(), "waiting Pending");
    world.identity["metadata"]["generation"] = json!(1);
    world.identity["status"]["conditions"][0]["status"] = json!("False");
    assert_eq!(world.reason(), "waiting IdentityNotReady");
    let nothing = decide(&Input {
        caller: &world.caller,
        pod: Some(&serde_json::from_value(world.pod.clone().unwrap()).unwrap()),
        name: "bedrock",
        grant: Some(Err("roleArn: not a string")),
        identity: None,
        labels: Labels::NotSeenYet,
        namespace_leaves: false,
        cluster: "",
        now: now(),
    });
    assert!(matches!(nothing, Verdict::Waiting(why) if why.message.contains("roleArn")));
}

#[test]
fn pods_share_a_digest_unless_the_identity_names_them() {
    let digest = |template: &str, pod: &str| {
        let mut world = world();
        world.identity["spec"]["session"] = json!({"name": template});
        pod.clone_into(&mut world.caller.pod);
        match world.verdict() {
            Verdict::Session(digest) => digest,
            other => panic!("{other:?}"),
        }
    };
    let shared = DEFAULT_SESSION_NAME;
    assert_eq!(digest(shared, "app-1"), digest(shared, "app-2"));
    let own = "{namespace}.{pod}";
    assert_ne!(digest(own, "app-1"), digest(own, "app-2"));
}
