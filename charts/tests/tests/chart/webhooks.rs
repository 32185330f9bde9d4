//! The webhook configurations and what they call.

use alter_chart_tests::{
    Failure,
    manifest::{find, list, of_kind, text},
    render::{NAMESPACE, configuration, configurations, render},
};
use alter_crds::names;
use serde_json::{Value, json};

fn configurations_of(objects: &[Value]) -> Result<[&Value; 2], Failure> {
    let find = |kind| find(objects, kind, "alter-webhook").ok_or(kind);
    Ok([
        find("MutatingWebhookConfiguration")?,
        find("ValidatingWebhookConfiguration")?,
    ])
}

#[test]
fn only_annotated_pods_are_touched_and_those_in_every_namespace() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        let [mutating, _] = configurations_of(&objects)?;
        let [pods] = list(mutating, "/webhooks") else {
            panic!("one webhook mutates")
        };
        let rules = json!([{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
            "scope": "Namespaced",
        }]);
        assert_eq!(pods["rules"], rules);
        let annotated = format!(
            "has(object.metadata.annotations) && '{}' in object.metadata.annotations",
            names::pod::GRANT
        );
        assert_eq!(
            pods["matchConditions"],
            json!([{"name": "annotated", "expression": annotated}])
        );
        assert_eq!(pods["failurePolicy"], "Fail");
        assert_eq!(pods["reinvocationPolicy"], "IfNeeded");
        assert_eq!(pods["sideEffects"], "None");
        // A selector leaves pods out silently: but for namespaces that the values leave out, there is none.
        assert_eq!(pods.get("objectSelector"), None);
        if configuration != self::configuration("watched-namespaces") {
            assert_eq!(pods.get("namespaceSelector"), None);
        }
    }
    Ok(())
}

#[test]
fn namespaces_that_are_not_watched_are_left_alone() -> Result<(), Failure> {
    let objects = render(&configuration("watched-namespaces"), &[])?;
    let [mutating, validating] = configurations_of(&objects)?;
    let (pods, kinds) = (list(mutating, "/webhooks"), list(validating, "/webhooks"));
    let by_name = json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]},
    ]});
    for webhook in pods.iter().chain(kinds) {
        let in_namespaces = text(webhook, "/name") != "awsidentities.alter.dev";
        let expected = in_namespaces.then_some(&by_name);
        assert_eq!(webhook.get("namespaceSelector"), expected, "{webhook}");
    }
    Ok(())
}

#[test]
fn a_webhook_that_is_down_blocks_no_change_of_a_grant() -> Result<(), Failure> {
    let objects = render(&configuration("default"), &[])?;
    let [_, validating] = configurations_of(&objects)?;
    let webhooks = list(validating, "/webhooks");
    assert_eq!(webhooks.len(), 2);
    for webhook in webhooks {
        assert_eq!(webhook["failurePolicy"], "Ignore");
        assert_eq!(
            webhook["rules"][0]["operations"],
            json!(["CREATE", "UPDATE"])
        );
    }
    Ok(())
}

#[test]
fn what_is_called_is_what_listens() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        let service = find(&objects, "Service", "alter-webhook").unwrap();
        let deployment = find(&objects, "Deployment", "alter-webhook").unwrap();
        let container = &list(deployment, "/spec/template/spec/containers")[0];
        let port = list(container, "/ports")
            .iter()
            .find(|port| port["name"] == service["spec"]["ports"][0]["targetPort"])
            .unwrap();
        let address = format!("--address=0.0.0.0:{}", port["containerPort"]);
        assert!(
            list(container, "/args").contains(&json!(address)),
            "{address}"
        );
        assert_eq!(
            service["spec"]["selector"],
            deployment["spec"]["selector"]["matchLabels"]
        );
        for webhook in configurations_of(&objects)?
            .into_iter()
            .flat_map(|configuration| list(configuration, "/webhooks"))
        {
            let called = webhook.pointer("/clientConfig/service").unwrap();
            assert_eq!(text(called, "/name"), "alter-webhook");
            assert_eq!(text(called, "/namespace"), NAMESPACE);
            assert_eq!(called["port"], service["spec"]["ports"][0]["port"]);
            assert_eq!(webhook.pointer("/clientConfig/caBundle"), None);
        }
    }
    Ok(())
}

#[test]
fn one_keeper_of_the_certificate_writes_the_secret_that_the_webhook_mounts() -> Result<(), Failure>
{
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        let webhook = find(&objects, "Deployment", "alter-webhook").unwrap();
        let mounted = text(webhook, "/spec/template/spec/volumes/0/secret/secretName");
        if let Some(broker) = find(&objects, "Deployment", "alter-broker") {
            let pointer = "/spec/template/spec/volumes/0/secret/secretName";
            assert_eq!(text(broker, pointer), mounted);
        }
        let operator = find(&objects, "Deployment", "alter-operator").unwrap();
        let arguments = operator
            .pointer("/spec/template/spec/containers/0/args")
            .unwrap();
        let arguments = arguments.to_string();
        assert!(arguments.contains(&format!("--certificate-secret={mounted}\"")));

        let certificate = of_kind(&objects, "Certificate").next();
        let keeper = if certificate.is_some() {
            "external"
        } else {
            "self"
        };
        assert!(
            arguments.contains(&format!("--certificates={keeper}\"")),
            "{arguments}"
        );
        if let Some(certificate) = certificate {
            assert_eq!(text(certificate, "/spec/secretName"), mounted);
            assert_eq!(
                certificate["spec"]["dnsNames"],
                json!([
                    format!("alter-webhook.{NAMESPACE}.svc"),
                    format!("alter-broker.{NAMESPACE}.svc"),
                ])
            );
        }
        for configuration in configurations_of(&objects)? {
            let injected = text(
                configuration,
                "/metadata/annotations/cert-manager.io~1inject-ca-from",
            );
            let expected = certificate.map_or(String::new(), |certificate| {
                format!("{NAMESPACE}/{}", text(certificate, "/metadata/name"))
            });
            assert_eq!(injected, expected);
        }
    }
    Ok(())
}

#[test]
fn on_the_hosts_network_a_rollout_frees_the_port_first() -> Result<(), Failure> {
    for (name, on_host, rolling) in [
        (
            "default",
            false,
            json!({"maxUnavailable": 0, "maxSurge": 1}),
        ),
        (
            "host-network",
            true,
            json!({"maxUnavailable": 1, "maxSurge": 0}),
        ),
    ] {
        let objects = render(&configuration(name), &[])?;
        let webhook = find(&objects, "Deployment", "alter-webhook").unwrap();
        assert_eq!(
            webhook["spec"]["strategy"]["rollingUpdate"], rolling,
            "{name}"
        );
        let pod = &webhook["spec"]["template"]["spec"];
        let network = on_host.then(|| (json!(true), json!("ClusterFirstWithHostNet")));
        let found = pod
            .get("hostNetwork")
            .cloned()
            .zip(pod.get("dnsPolicy").cloned());
        assert_eq!(found, network, "{name}");
    }
    Ok(())
}

#[test]
fn the_webhooks_port_can_be_closed_to_all_but_the_api_servers() -> Result<(), Failure> {
    let from = |arguments: &[&str]| -> Result<Vec<Value>, Failure> {
        let objects = render(&configuration("locked-down"), arguments)?;
        let policy = find(&objects, "NetworkPolicy", "alter-webhook").ok_or("no such policy")?;
        let rules = list(policy, "/spec/ingress").iter();
        let of_reviews = rules.filter(|rule| {
            let ports = list(rule, "/ports");
            ports.iter().any(|port| port["port"] == "https")
        });
        Ok(of_reviews.map(|rule| rule["from"].clone()).collect())
    };
    let api_servers = json!([{"ipBlock": {"cidr": "10.0.0.0/28"}}]);
    assert_eq!(from(&[])?, [api_servers]);
    let anyone = from(&["--set-json", "networkPolicy.webhookIngress=[]"])?;
    assert_eq!(anyone, [Value::Null]);
    Ok(())
}
