//! The admission policies: what the operator's account may write, whoever runs in its place.

use alter_chart_tests::{
    Failure,
    command::kubectl,
    release::{Release, eventually, namespace},
    render::NAMESPACE,
};
use alter_crds::names;
use serde_json::{Value, json};

const OPERATOR: &str = "--as=system:serviceaccount:alter-system:alter-operator";
const WEBHOOK: &str = "--as=system:serviceaccount:alter-system:alter-webhook";
const CONFIGURATIONS: [(&str, &str); 2] = [
    ("mutatingwebhookconfigurations", "pods.alter.dev"),
    ("validatingwebhookconfigurations", "awsgrants.alter.dev"),
];

fn secret(namespace: &str, name: &str, type_: &str, managed_by: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": type_,
        "metadata": {"name": name, "namespace": namespace, "labels": {names::label::MANAGED_BY: managed_by}},
    })
}

fn session(namespace: &str, name: &str) -> Value {
    secret(
        namespace,
        name,
        names::secret::SESSION_TYPE,
        names::label::OPERATOR,
    )
}

/// A server-side apply, as the operator writes.
fn apply(object: &Value) -> Result<String, Failure> {
    let manager = format!("--field-manager={}", names::field_manager::SECRET);
    let command = [
        "apply",
        "--server-side",
        "--force-conflicts",
        &manager,
        OPERATOR,
        "-f",
        "-",
    ];
    kubectl(&command, &object.to_string())
}

fn delete(namespace: &str, name: &str) -> Result<String, Failure> {
    kubectl(
        &[
            "delete",
            "secret",
            name,
            "--namespace",
            namespace,
            OPERATOR,
            "--wait=false",
        ],
        "",
    )
}

fn denied(answer: Result<String, Failure>, policy: &str) -> bool {
    let said = answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    said.contains(&format!("ValidatingAdmissionPolicy '{policy}'"))
        && said.contains("Alter's operator")
}

fn fenced(answer: Result<String, Failure>) -> bool {
    denied(answer, "alter-operator-secrets")
}

fn installed() -> Result<Release, Failure> {
    let release = Release::installed()?;
    eventually("the policy for Secrets denies", || {
        fenced(apply(&secret("default", "probe", "Opaque", "")))
    })?;
    Ok(release)
}

#[test]
fn the_operator_writes_its_sessions() -> Result<(), Failure> {
    let _release = installed()?;
    namespace("fence-own", &[])?;
    let mut own = session("fence-own", "bedrock-aws");
    apply(&own)?;
    own["stringData"] = json!({"grant.json": "{}"});
    apply(&own)?;
    delete("fence-own", "bedrock-aws")?;
    Ok(())
}

#[test]
fn the_operator_touches_no_other_secret() -> Result<(), Failure> {
    let _release = installed()?;
    namespace("fence-foreign", &[])?;
    for foreign in [
        secret("fence-foreign", "opaque", "Opaque", "Helm"),
        secret(
            "fence-foreign",
            "looks-owned",
            "Opaque",
            names::label::OPERATOR,
        ),
        secret(
            "fence-foreign",
            "a-tenants",
            names::secret::SESSION_TYPE,
            "someone",
        ),
        secret(
            "fence-foreign",
            "certificate",
            names::secret::CERTIFICATE_TYPE,
            names::label::OPERATOR,
        ),
    ] {
        let name = foreign["metadata"]["name"].as_str().unwrap();
        assert!(fenced(apply(&foreign)), "creates {name}");
        kubectl(&["create", "-f", "-"], &foreign.to_string())?;
        let mut change = foreign.clone();
        change["stringData"] = json!({"credentials": "x"});
        assert!(fenced(apply(&change)), "changes {name}");
        change["metadata"]["labels"][names::label::MANAGED_BY] = json!(names::label::OPERATOR);
        assert!(fenced(apply(&change)), "takes over {name}");
        assert!(fenced(delete("fence-foreign", name)), "deletes {name}");
        let read = kubectl(
            &["get", "secret", name, "-n", "fence-foreign", OPERATOR],
            "",
        );
        assert!(read.is_err(), "gets {name}");
    }
    Ok(())
}

#[test]
fn the_operator_lets_go_of_no_session() -> Result<(), Failure> {
    let _release = installed()?;
    namespace("fence-label", &[])?;
    let mut own = session("fence-label", "bedrock-aws");
    apply(&own)?;
    own["metadata"]["labels"][names::label::MANAGED_BY] = json!("someone");
    assert!(fenced(apply(&own)));
    Ok(())
}

#[test]
fn the_certificate_has_one_place() -> Result<(), Failure> {
    let _release = installed()?;
    let type_ = names::secret::CERTIFICATE_TYPE;
    let certificate = |namespace, name| secret(namespace, name, type_, names::label::OPERATOR);
    apply(&certificate(NAMESPACE, "alter-webhook-certificate"))?;
    assert!(fenced(apply(&certificate(
        "default",
        "alter-webhook-certificate"
    ))));
    assert!(fenced(apply(&certificate(NAMESPACE, "another"))));
    assert!(fenced(apply(&secret(NAMESPACE, "opaque", "Opaque", ""))));
    Ok(())
}

#[test]
fn of_the_webhook_configurations_the_operator_changes_the_ca_alone() -> Result<(), Failure> {
    let _release = installed()?;
    for (kind, webhook) in CONFIGURATIONS {
        let patch = |change: &Value| {
            let change = change.to_string();
            kubectl(
                &["patch", kind, "alter-webhook", OPERATOR, "--patch", &change],
                "",
            )
        };
        let of_webhook = |mut fields: Value| {
            fields["name"] = json!(webhook);
            json!({"webhooks": [fields]})
        };
        patch(&of_webhook(json!({"clientConfig": {"caBundle": "Y2E="}})))?;
        for change in [
            of_webhook(
                json!({"failurePolicy": if kind.starts_with('m') { "Ignore" } else { "Fail" }}),
            ),
            of_webhook(json!({"timeoutSeconds": 1})),
            of_webhook(json!({"matchPolicy": "Exact"})),
            of_webhook(json!({"sideEffects": "NoneOnDryRun"})),
            of_webhook(json!({"admissionReviewVersions": ["v1", "v1beta1"]})),
            of_webhook(json!({"matchConditions": [{"name": "any", "expression": "true"}]})),
            of_webhook(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}})),
            of_webhook(json!({"objectSelector": {"matchLabels": {"a": "b"}}})),
            of_webhook(json!({"rules": []})),
            of_webhook(json!({"clientConfig": {"service": {"name": "another"}}})),
            of_webhook(json!({"clientConfig": {"service": null, "url": "https://example.com/"}})),
            of_webhook(json!({"$patch": "delete"})),
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"annotations": {"cert-manager.io/inject-ca-from": "a/b"}}}),
            json!({"metadata": {"finalizers": ["example.com/never"]}}),
            json!({"webhooks": [{
                "name": "another.alter.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://example.com/"},
            }]}),
        ] {
            let answer = patch(&change);
            assert!(
                denied(answer, "alter-operator-configurations"),
                "{kind} {change}"
            );
        }
        let deleted = kubectl(&["delete", kind, "alter-webhook", OPERATOR], "");
        assert!(deleted.is_err());
    }
    let reinvoked =
        json!({"webhooks": [{"name": "pods.alter.dev", "reinvocationPolicy": "Never"}]})
            .to_string();
    let command = [
        "patch",
        "mutatingwebhookconfigurations",
        "alter-webhook",
        OPERATOR,
        "--patch",
        &reinvoked,
    ];
    assert!(denied(
        kubectl(&command, ""),
        "alter-operator-configurations"
    ));
    Ok(())
}

/// A token of a service account with an audience, or with the API server's own.
fn token(account: &str, audience: Option<&str>) -> Result<String, Failure> {
    let audience = audience.map(|audience| format!("--audience={audience}"));
    let mut command = vec![
        "create",
        "token",
        account,
        "--namespace",
        NAMESPACE,
        OPERATOR,
    ];
    command.extend(audience.as_deref());
    kubectl(&command, "")
}

#[test]
fn the_operator_has_tokens_of_named_accounts_for_aws_alone() -> Result<(), Failure> {
    let release = Release::installed()?;
    assert!(token("alter-operator", Some("sts.amazonaws.com")).is_err());
    for account in ["alter-aws", "alter-other"] {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": NAMESPACE}});
        kubectl(&["apply", "-f", "-"], &object.to_string())?;
    }
    release.upgrade(&["--set", "operator.webIdentity.serviceAccounts={alter-aws}"])?;
    eventually("the policy for tokens denies", || {
        denied(token("alter-aws", Some("probe")), "alter-operator-tokens")
    })?;
    token("alter-aws", Some("sts.amazonaws.com"))?;
    assert!(denied(token("alter-aws", None), "alter-operator-tokens"));
    let own = "https://kubernetes.default.svc";
    assert!(denied(
        token("alter-aws", Some(own)),
        "alter-operator-tokens"
    ));
    for account in ["alter-other", "alter-operator", "default"] {
        let said = token(account, Some("sts.amazonaws.com"))
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("forbidden") && said.contains("cannot create"),
            "{said}"
        );
    }
    Ok(())
}

/// An apply that creates is a create of that name: RBAC alone fences it.
#[test]
fn of_config_maps_the_operator_writes_the_brokers_ca_alone() -> Result<(), Failure> {
    let release = installed()?;
    release.upgrade(&["--set", "broker.enabled=true"])?;
    namespace("fence-ca", &[])?;
    let config_map = |name: &str, data: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "fence-ca", "labels": {names::label::MANAGED_BY: names::label::OPERATOR}},
            "data": {names::broker::CA: data},
        })
    };
    eventually("the right to write the broker's CA", || {
        apply(&config_map(names::broker::CA_CONFIG_MAP, "one")).is_ok()
    })?;
    apply(&config_map(names::broker::CA_CONFIG_MAP, "two"))?;
    let said = apply(&config_map("another", "one"))
        .unwrap_err()
        .to_string();
    assert!(said.contains("forbidden"), "{said}");
    let named = format!(
        "--field-selector=metadata.name={}",
        names::broker::CA_CONFIG_MAP
    );
    kubectl(&["get", "configmaps", "-A", &named, OPERATOR], "")?;
    assert!(kubectl(&["get", "configmaps", "-A", OPERATOR], "").is_err());
    let name = names::broker::CA_CONFIG_MAP;
    let delete = ["delete", "configmap", name, "-n", "fence-ca", OPERATOR];
    assert!(kubectl(&delete, "").is_err());
    Ok(())
}

/// Its keeper watches the two objects of that name, which RBAC allows by the field selector.
#[test]
fn the_operator_watches_its_own_configurations_only() -> Result<(), Failure> {
    let _release = installed()?;
    for (kind, _) in CONFIGURATIONS {
        kubectl(
            &[
                "get",
                kind,
                "--field-selector=metadata.name=alter-webhook",
                OPERATOR,
            ],
            "",
        )?;
        assert!(kubectl(&["get", kind, OPERATOR], "").is_err());
    }
    Ok(())
}

#[test]
fn the_webhook_reads_no_secret() -> Result<(), Failure> {
    let _release = installed()?;
    for namespace in [NAMESPACE, "default"] {
        for verb in ["get", "list", "watch", "create", "patch"] {
            let command = [
                "auth",
                "can-i",
                verb,
                "secrets",
                "--namespace",
                namespace,
                WEBHOOK,
            ];
            assert!(kubectl(&command, "").is_err(), "{verb} in {namespace}");
        }
    }
    Ok(())
}
