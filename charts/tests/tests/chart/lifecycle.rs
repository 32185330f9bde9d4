//! Upgrades and the end of a release.

use alter_chart_tests::{Failure, command::kubectl, release::Release, render::NAMESPACE};
use alter_crds::names;
use serde_json::{Value, json};

const CA_BUNDLE: &str = "a2VwdA==";

fn get(arguments: &[&str]) -> Result<Value, Failure> {
    let mut command = vec!["get", "-o", "json"];
    command.extend(arguments);
    Ok(serde_json::from_str(&kubectl(&command, "")?)?)
}

/// All CA bundles of both configurations, and the mutating one's timeout, which tells one upgrade from another.
fn state() -> Result<(Vec<Value>, Value), Failure> {
    let mutating = get(&["mutatingwebhookconfiguration", "alter-webhook"])?;
    let validating = get(&["validatingwebhookconfiguration", "alter-webhook"])?;
    let bundles = [&mutating, &validating]
        .iter()
        .flat_map(|configuration| {
            configuration["webhooks"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .map(|webhook| webhook["clientConfig"]["caBundle"].clone())
        .collect();
    Ok((bundles, mutating["webhooks"][0]["timeoutSeconds"].clone()))
}

/// As the operator does it.
fn set_ca_bundles() -> Result<(), Failure> {
    for (kind, webhooks) in [
        (
            "MutatingWebhookConfiguration",
            ["pods.alter.dev"].as_slice(),
        ),
        (
            "ValidatingWebhookConfiguration",
            ["awsgrants.alter.dev", "awsidentities.alter.dev"].as_slice(),
        ),
    ] {
        let webhooks: Vec<_> = webhooks
            .iter()
            .map(|name| json!({"name": name, "clientConfig": {"caBundle": CA_BUNDLE}}))
            .collect();
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": "alter-webhook"}, "webhooks": webhooks,
        });
        let manager = format!("--field-manager={}", names::field_manager::CERTIFICATE);
        let operator = "--as=system:serviceaccount:alter-system:alter-operator";
        let command = [
            "apply",
            "--server-side",
            "--force-conflicts",
            &manager,
            operator,
            "-f",
            "-",
        ];
        kubectl(&command, &configuration.to_string())?;
    }
    Ok(())
}

#[test]
fn an_upgrade_keeps_the_ca_bundles() -> Result<(), Failure> {
    let release = Release::installed()?;
    set_ca_bundles()?;
    // By server-side apply, Helm 4's way, and by a patch of three parts, Helm 3's.
    for (way, timeout) in [("--server-side=true", 7), ("--server-side=false", 8)] {
        release.upgrade(&[way, "--set", &format!("webhook.timeoutSeconds={timeout}")])?;
        let (bundles, found) = state()?;
        assert_eq!(found, timeout, "{way}");
        assert_eq!(bundles, [CA_BUNDLE; 3], "{way}");
    }
    Ok(())
}

#[test]
fn uninstalling_keeps_both_kinds_and_their_objects() -> Result<(), Failure> {
    let release = Release::installed()?;
    let identity = r#"{"apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": "kept"},
        "spec": {"region": "us-east-1", "credentials": {"ambient": {}}}}"#;
    kubectl(&["apply", "-f", "-"], identity)?;
    release.uninstall()?;
    for crd in ["awsgrants.alter.dev", "awsidentities.alter.dev"] {
        // One that is on its way out still serves its objects for a moment.
        let kept = get(&["crd", crd])?;
        assert_eq!(kept["metadata"].get("deletionTimestamp"), None, "{crd}");
    }
    let left = get(&[
        "all,secrets,leases,pdb,roles,rolebindings,serviceaccounts",
        "-n",
        NAMESPACE,
    ])?;
    let ours =
        |object: &&Value| object["metadata"]["labels"]["app.kubernetes.io/instance"] == "alter";
    assert_eq!(
        left["items"].as_array().into_iter().flatten().find(ours),
        None
    );

    // And another install takes them over as they are.
    release.upgrade(&["--install"])?;
    assert_eq!(get(&["awsidentity", "kept"])?["metadata"]["name"], "kept");
    Ok(())
}

#[test]
fn teams_write_grants_by_the_roles_they_have() -> Result<(), Failure> {
    let _release = Release::installed()?;
    let rules = |role: &str| -> Result<String, Failure> {
        let roles = get(&[
            "clusterroles",
            "-l",
            &format!("rbac.authorization.k8s.io/aggregate-to-{role}=true"),
        ])?;
        let ours = roles["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|role| {
                role["metadata"]["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("alter-"))
            })
            .map(|role| role["rules"].to_string());
        Ok(ours.collect())
    };
    assert_eq!(
        rules("edit")?,
        r#"[{"apiGroups":["alter.dev"],"resources":["awsgrants"],"verbs":["create","update","patch","delete","deletecollection"]}]"#
    );
    assert_eq!(
        rules("view")?,
        r#"[{"apiGroups":["alter.dev"],"resources":["awsgrants"],"verbs":["get","list","watch"]}]"#
    );
    Ok(())
}
