//! What holds of every pod, however strange.

// The lint's exception for tests does not reach the functions around them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod admit;

use admit::{admit, plain_settings};
use alter_crds::AwsGrant;
use alter_webhook::{pod::view::Pod, review::Review};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

fn grants() -> Vec<AwsGrant> {
    ["bedrock", "s3"]
        .into_iter()
        .map(|name| {
            serde_json::from_value(json!({
                "apiVersion": "alter.dev/v1alpha1",
                "kind": "AwsGrant",
                "metadata": {"name": name, "namespace": "team-a"},
                "spec": {
                    "roleArn": "arn:aws:iam::111122223333:role/team-a",
                    "region": if name == "s3" { "eu-west-1" } else { "us-east-1" },
                },
            }))
            .unwrap()
        })
        .collect()
}

fn list(entry: impl Strategy<Value = Value>, most: usize) -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        6 => prop::collection::vec(entry, 0..=most).prop_map(Value::Array),
    ]
}

fn variable() -> impl Strategy<Value = Value> {
    let name = select(vec![
        "MODE",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "ALTER_GRANTS",
    ]);
    let value = select(vec![
        json!({"value": ""}),
        json!({"value": "bedrock"}),
        json!({"value": "s3"}),
        json!({"value": "/var/run/alter/aws/config"}),
        json!({"value": "http://127.0.0.1:9911/v1/credentials/s3"}),
        json!({"value": "/var/run/alter/token"}),
        json!({}),
        json!({"valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}),
    ]);
    (name, value).prop_map(|(name, mut variable)| {
        variable["name"] = name.into();
        variable
    })
}

fn mount() -> impl Strategy<Value = Value> {
    let name = select(vec!["data", "data", "data", "alter", "alter-grant-bedrock"]);
    let path = select(vec!["/data", "/var/run", "/var/run/alter", "/alter-agent"]);
    (name, path, any::<bool>())
        .prop_map(|(name, path, ro)| json!({"name": name, "mountPath": path, "readOnly": ro}))
}

fn container(names: Vec<&'static str>) -> impl Strategy<Value = Value> {
    let resources = select(vec![
        json!({}),
        Value::Null,
        json!({"requests": {"cpu": "1"}}),
        json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
        json!({"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}),
    ]);
    let command = select(vec![Value::Null, json!(["/alter-agent"])]);
    (
        select(names),
        list(variable(), 4),
        list(mount(), 2),
        resources,
        command,
    )
        .prop_map(|(name, env, mounts, resources, command)| {
            json!({
                "name": name, "image": "x:1", "env": env, "volumeMounts": mounts,
                "resources": resources, "args": ["serve"], "command": command,
            })
        })
}

fn pod() -> impl Strategy<Value = Value> {
    let volume = (
        select(vec![
            "data",
            "alter",
            "alter-grant-bedrock",
            "alter-grant-s3",
        ]),
        select(vec![
            json!({"emptyDir": {}}),
            json!({"hostPath": {"path": "/"}}),
            json!({"secret": {"secretName": "bedrock-aws"}}),
        ]),
    )
        .prop_map(|(name, mut volume)| {
            volume["name"] = name.into();
            volume
        });
    let annotations = (
        select(vec![
            "bedrock",
            "s3,bedrock",
            "absent",
            "bedrock,absent",
            "",
            "B",
        ]),
        prop::option::of(select(vec!["process", "endpoint", "imds", "proxy"])),
        prop::option::of(select(vec!["app", "app,web", ""])),
        prop::option::of(select(vec!["keep", "keep", "no"])),
        prop::option::of(select(vec!["{}", r#"{"limits":{"cpu":"1"}}"#, "{"])),
    );
    (
        annotations,
        list(container(vec!["init", "alter-agent"]), 2),
        list(container(vec!["app", "web"]), 2),
        list(volume, 3),
        select(vec![
            json!({}),
            json!({"runAsUser": 0}),
            json!({"runAsUser": 7, "fsGroup": 8}),
        ]),
        prop::option::of(any::<bool>()),
    )
        .prop_map(
            |(annotations, inits, containers, volumes, security, host_network)| {
                let (grant, delivery, named, conflict, resources) = annotations;
                let mut metadata = json!({"annotations": {"alter.dev/grant": grant}});
                for (name, value) in [
                    ("alter.dev/delivery", delivery),
                    ("alter.dev/containers", named),
                    ("alter.dev/conflict", conflict),
                    ("alter.dev/agent-resources", resources),
                ] {
                    if let Some(value) = value {
                        metadata["annotations"][name] = value.into();
                    }
                }
                json!({"metadata": metadata, "spec": {
                    "initContainers": inits, "containers": containers, "volumes": volumes,
                    "securityContext": security, "hostNetwork": host_network,
                }})
            },
        )
}

fn entries<'v>(value: &'v Value, list: &str) -> Vec<&'v Value> {
    value[list].as_array().into_iter().flatten().collect()
}

/// What other admission plugins add to every container.
fn as_others_leave_it(pod: &Value) -> Value {
    let token = json!({"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true});
    let variable = json!({"name": "ADDED", "value": "by another webhook"});
    let mut pod = pod.clone();
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            for (field, added) in [("volumeMounts", &token), ("env", &variable)] {
                let mut all = container[field].as_array().cloned().unwrap_or_default();
                all.push(added.clone());
                container[field] = all.into();
            }
        }
    }
    pod
}

fn holds_of(before: &Value, after: &Value) {
    let inits = entries(&after["spec"], "initContainers");
    let is_agent = |container: &&&Value| container["name"] == "alter-agent";
    let agents: Vec<_> = inits.iter().filter(is_agent).collect();
    let [agent] = agents[..] else {
        panic!("one agent: {agents:?}")
    };
    assert_eq!(agent["image"], plain_settings().image);
    assert_eq!(agent["securityContext"]["allowPrivilegeEscalation"], false);
    let known = ["ALTER_GRANTS", "ALTER_DELIVERY", "ALTER_SERVICE_ACCOUNT"];
    for variable in entries(agent, "env") {
        let name = variable["name"].as_str().unwrap();
        assert!(
            !name.starts_with("ALTER_") || known.contains(&name),
            "{name}"
        );
    }
    let volumes = entries(&after["spec"], "volumes");
    for mount in entries(agent, "volumeMounts") {
        // The API server refuses a second volume of the same name.
        let mounted = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"])
            .unwrap();
        assert!(mounted["hostPath"].is_null(), "{mounted}");
    }
    for list in ["initContainers", "containers"] {
        let own = |pod: &Value| -> Vec<Value> {
            let all = entries(&pod["spec"], list).into_iter().cloned();
            all.filter(|container| container["name"] != "alter-agent")
                .collect()
        };
        for (before, after) in own(before).iter().zip(&own(after)) {
            let variables = entries(before, "env");
            assert_eq!(
                variables,
                entries(after, "env")[..variables.len()],
                "nothing set is changed"
            );
            for mount in entries(after, "volumeMounts") {
                let volume = mount["name"].as_str().unwrap();
                assert!(
                    !volume.starts_with("alter-grant-"),
                    "the Secret is the agent's alone"
                );
                assert!(
                    volume != "alter" || mount["readOnly"] == true,
                    "read-only for the app"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pod_is_denied_or_rightly_injected_and_stays_so(pod in pod()) {
        let (grants, settings) = (grants(), plain_settings());
        if let Ok((after, _)) = admit(&pod, &grants, &settings) {
            holds_of(&pod, &after);
            let (again, _) = admit(&after, &grants, &settings).unwrap();
            prop_assert_eq!(&again, &after);
            let touched = as_others_leave_it(&after);
            let (again, _) = admit(&touched, &grants, &settings).unwrap();
            prop_assert_eq!(&again, &touched);
        }
    }

    #[test]
    fn no_body_makes_the_webhook_panic(
        pod in pod(),
        cut in 0_usize..2_000,
        byte in any::<u8>(),
    ) {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "1", "operation": "CREATE", "namespace": "team-a", "object": pod},
        });
        let mut body = review.to_string().into_bytes();
        let at = cut % body.len();
        body[at] = byte;
        let _ = Review::<Pod<'_>>::read(&body);
        body.truncate(at);
        prop_assert!(Review::<Pod<'_>>::read(&body).is_err());
    }
}
