//! What a real API server says to every configuration.

use alter_chart_tests::{
    Failure,
    command::kubectl,
    manifest::{pods, text, title},
    release::{Release, namespace},
    render::{NAMESPACE, configurations, render},
};
use serde_json::{Value, json};

/// Kinds of operators that the run's API server does not have.
const FOREIGN: &[&str] = &["Certificate", "ServiceMonitor"];

fn dry_run(object: &Value, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = vec!["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    command.extend(arguments);
    kubectl(&command, &object.to_string())
        .map(|_| ())
        .map_err(|error| format!("{}: {error}", title(object)).into())
}

#[test]
fn every_object_is_valid_field_by_field() -> Result<(), Failure> {
    let release = Release::installed()?;
    // Its objects would be there already.
    release.uninstall()?;
    kubectl(
        &[
            "delete",
            "crd",
            "awsgrants.alter.dev",
            "awsidentities.alter.dev",
        ],
        "",
    )?;
    namespace("team-a", &[])?;
    namespace("team-b", &[])?;
    for configuration in configurations()? {
        for object in render(&configuration, &[])? {
            if !FOREIGN.contains(&text(&object, "/kind")) {
                dry_run(&object, &[])
                    .map_err(|error| format!("{}: {error}", configuration.display()))?;
            }
        }
    }
    Ok(())
}

#[test]
fn every_pod_is_admitted_under_the_restricted_standard() -> Result<(), Failure> {
    namespace(
        "restricted",
        &["pod-security.kubernetes.io/enforce=restricted"],
    )?;
    for configuration in configurations()? {
        for (workload, pod) in pods(&render(&configuration, &[])?) {
            let mut pod = pod.clone();
            pod["apiVersion"] = json!("v1");
            pod["kind"] = json!("Pod");
            pod["metadata"]["name"] = json!("pod");
            pod["metadata"]["namespace"] = json!("restricted");
            // That the webhook is away is another test's matter.
            pod["metadata"]["annotations"] = json!({});
            let answer = dry_run(&pod, &[]);
            if pod["spec"]["hostNetwork"] == true {
                let said = answer
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default();
                assert!(said.contains("hostNetwork=true"), "{workload}: {said}");
            } else {
                answer
                    .map_err(|error| format!("{} {workload}: {error}", configuration.display()))?;
            }
        }
    }
    Ok(())
}

#[test]
fn without_the_webhook_annotated_pods_are_refused_and_nothing_else_is() -> Result<(), Failure> {
    let _release = Release::installed()?;
    let pod = |annotations: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "pod", "namespace": NAMESPACE, "annotations": annotations},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        })
    };
    dry_run(&pod(json!({})), &[])?;
    dry_run(&pod(json!({"alter.dev/delivery": "process"})), &[])?;
    let refused = dry_run(&pod(json!({"alter.dev/grant": "bedrock"})), &[]);
    let said = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        said.contains(r#"failed calling webhook "pods.alter.dev""#),
        "{said}"
    );

    let identity = json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": "default"},
        "spec": {"region": "us-east-1", "credentials": {"ambient": {}}},
    });
    let grant = json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsGrant",
        "metadata": {"name": "bedrock", "namespace": NAMESPACE},
        "spec": {
            "identity": "default", "region": "us-east-1",
            "roleArn": "arn:aws:iam::111122223333:role/team-a-bedrock",
        },
    });
    for object in [identity, grant] {
        dry_run(&object, &[])?;
    }
    Ok(())
}
