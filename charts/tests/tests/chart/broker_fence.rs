//! The broker's account: what it reads, and the one field that it writes, whoever runs in its place.

use alter_chart_tests::{
    Failure,
    command::kubectl,
    release::{Release, eventually},
    render::NAMESPACE,
};
use alter_crds::names::field_manager;
use serde_json::{Value, json};

const BROKER: &str = "--as=system:serviceaccount:alter-system:alter-broker";
/// With every right that RBAC can give.
const ANY_RIGHT: &str = "--as-group=system:masters";
const STATUS: [&str; 1] = ["--subresource=status"];

fn with_broker() -> Result<Release, Failure> {
    let release = Release::installed()?;
    release.upgrade(&["--set", "broker.enabled=true"])?;
    Ok(release)
}

/// The broker may see pods and check tokens; it reads Secrets of its own namespace alone.
#[test]
fn the_broker_reads_what_it_decides_over_and_writes_no_object() -> Result<(), Failure> {
    let _release = with_broker()?;
    let may = |arguments: &[&str]| {
        let command = [&["auth", "can-i"], arguments, &[BROKER]].concat();
        kubectl(&command, "").is_ok_and(|answer| answer.trim() == "yes")
    };
    eventually("the broker may watch pods", || {
        may(&["watch", "pods", "-A"])
    })?;
    assert!(may(&["create", "tokenreviews.authentication.k8s.io"]));
    assert!(may(&["get", "secrets", "-n", NAMESPACE]));
    for denied in [
        ["get", "secrets", "-n", "default"],
        ["list", "secrets", "-n", NAMESPACE],
        ["create", "secrets", "-n", NAMESPACE],
        ["create", "serviceaccounts/token", "-n", NAMESPACE],
        ["patch", "awsgrants.alter.dev", "-n", "default"],
        ["patch", "awsgrants.alter.dev/status", "-n", "default"],
        ["patch", "awsidentities.alter.dev", "-n", "default"],
        ["update", "awsidentities.alter.dev/status", "-n", "default"],
        ["get", "pods", "-n", "default"],
        ["create", "pods", "-n", "default"],
    ] {
        assert!(!may(&denied), "{denied:?}");
    }
    Ok(())
}

fn identity(status: &Value) -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": "fenced"},
        "status": status,
    })
}

/// A server-side apply of the status, as the broker writes.
fn apply(manager: &str, account: &[&str], status: &Value) -> Result<String, Failure> {
    let manager = format!("--field-manager={manager}");
    let command = [
        &["apply", "--server-side", "--force-conflicts"][..],
        &STATUS,
        &[&manager, "-f", "-"],
        account,
    ]
    .concat();
    kubectl(&command, &identity(status).to_string())
}

fn as_broker(status: &Value) -> Result<String, Failure> {
    apply(field_manager::BROKER_STATUS, &[BROKER], status)
}

/// A merge patch with every right, so that the policy alone stands in its way.
fn patch(subresource: &[&str], change: &Value) -> Result<String, Failure> {
    let change = change.to_string();
    let command = [
        &["patch", "awsidentity", "fenced", "--type=merge"][..],
        subresource,
        &["--patch", &change, BROKER, ANY_RIGHT],
    ]
    .concat();
    kubectl(&command, "")
}

fn fenced(answer: Result<String, Failure>) -> bool {
    let said = answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    said.contains("ValidatingAdmissionPolicy 'alter-broker-status'")
        && said.contains("only status.brokerArn")
}

fn field(path: &str) -> Result<String, Failure> {
    let path = format!("jsonpath={{{path}}}");
    kubectl(&["get", "awsidentity", "fenced", "-o", &path], "")
}

#[test]
fn of_an_identitys_status_the_broker_writes_its_own_arn_alone() -> Result<(), Failure> {
    let _release = with_broker()?;
    let spec = json!({
        "region": "us-east-1",
        "credentials": {"ambient": {}},
        "allow": [{"namespaces": {"names": ["team-a"]}, "roleArns": ["arn:aws:iam::111122223333:role/a"]}],
    });
    let mut whole = identity(&json!({}));
    whole["spec"] = spec;
    kubectl(&["apply", "-f", "-"], &whole.to_string())?;

    // Another each time: what stands there already is no change.
    let forged = |text: &str| json!({"arn": format!("arn:aws:iam::111122223333:user/{text}")});
    let mut tries = 0;
    eventually("the policy for the status denies", || {
        tries += 1;
        let change = json!({"status": forged(&format!("forged-{tries}"))});
        fenced(patch(&STATUS, &change))
    })?;
    // Before the operator has written anything, and beside what it wrote.
    as_broker(&json!({"brokerArn": "one"}))?;
    let of_operator = json!({
        "accountId": "111122223333",
        "arn": "arn:aws:iam::111122223333:user/alter",
        "lastChecked": "2026-11-22T03:30:00Z",
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "AccessDenied", "message": "m",
            "lastTransitionTime": "2026-11-22T03:30:00Z",
        }],
    });
    apply(field_manager::STATUS, &[], &of_operator)?;
    as_broker(&json!({"brokerArn": "two"}))?;
    assert_eq!(field(".status.brokerArn")?, "two");
    assert_eq!(field(".status.accountId")?, "111122223333", "it stays");

    // What stands there, and what does not yet.
    for change in [
        forged("another"),
        json!({"accountId": "444455556666"}),
        json!({"lastChecked": "2026-11-22T09:30:00Z"}),
        json!({"since": "2026-11-22T03:30:00Z"}),
        json!({"observedGeneration": 2}),
        json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Identified", "message": "m",
            "lastTransitionTime": "2026-11-22T03:30:00Z",
        }]}),
        json!({"brokerArn": "three", "arn": "arn:aws:iam::111122223333:user/forged"}),
    ] {
        assert!(fenced(as_broker(&change)), "{change}");
    }
    for change in [
        json!({"status": {"arn": null}}),
        json!({"status": {"conditions": null}}),
        json!({"status": null}),
    ] {
        assert!(fenced(patch(&STATUS, &change)), "{change}");
    }
    patch(&STATUS, &json!({"status": {"brokerArn": null}}))?;
    assert_eq!(field(".status.brokerArn")?, "");
    for change in [
        json!({"spec": {"region": "us-west-2"}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
    ] {
        assert!(fenced(patch(&[], &change)), "{change}");
    }
    let delete = ["delete", "awsidentity", "fenced", BROKER, ANY_RIGHT];
    assert!(fenced(kubectl(&delete, "")));
    kubectl(&["delete", "awsidentity", "fenced"], "").map(|_| ())
}
