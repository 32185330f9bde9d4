//! The rights of both service accounts, all of them: whoever adds one says so here.

use alter_chart_tests::{
    Failure,
    manifest::{list, of_kind, text},
    render::{NAMESPACE, configuration, configurations, render},
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

/// `cluster`, `namespace` for the release's own, or `in` another; the resource with the names it is limited to, and the verbs.
fn rights(objects: &[Value], account: &str) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for (binding, role, scope) in [
        ("ClusterRoleBinding", "ClusterRole", "cluster"),
        ("RoleBinding", "Role", "namespace"),
    ] {
        for binding in of_kind(objects, binding).filter(|binding| {
            list(binding, "/subjects").iter().any(|subject| {
                text(subject, "/kind") == "ServiceAccount"
                    && text(subject, "/name") == account
                    && text(subject, "/namespace") == NAMESPACE
            })
        }) {
            assert_eq!(text(binding, "/roleRef/kind"), role);
            let name = text(binding, "/roleRef/name");
            let namespace = text(binding, "/metadata/namespace");
            let role = of_kind(objects, role)
                .find(|own| {
                    text(own, "/metadata/name") == name
                        && text(own, "/metadata/namespace") == namespace
                })
                .ok_or_else(|| format!("no {role}/{name} in {namespace:?}"))?;
            let scope = match text(role, "/metadata/namespace") {
                "" | NAMESPACE => scope.to_owned(),
                other => format!("in {other}:"),
            };
            found.extend(
                list(role, "/rules")
                    .iter()
                    .flat_map(|rule| lines(&scope, rule)),
            );
        }
    }
    Ok(found)
}

fn lines(scope: &str, rule: &Value) -> Vec<String> {
    let words = |pointer| {
        let words: Vec<_> = list(rule, pointer)
            .iter()
            .filter_map(Value::as_str)
            .collect();
        words.join(" ")
    };
    let names = match words("/resourceNames") {
        names if names.is_empty() => names,
        names => format!("[{names}]"),
    };
    let group = words("/apiGroups");
    let group = if group.is_empty() {
        group
    } else {
        format!(".{group}")
    };
    list(rule, "/resources")
        .iter()
        .filter_map(Value::as_str)
        .map(|resource| format!("{scope} {resource}{group}{names}: {}", words("/verbs")))
        .collect()
}

fn assert_rights(configuration: &Path, account: &str, expected: &[&str]) -> Result<(), Failure> {
    let found = rights(&render(configuration, &[])?, account)?;
    let expected = expected.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(found, expected, "{} {account}", configuration.display());
    Ok(())
}

const OPERATOR: &[&str] = &[
    "cluster awsgrants.alter.dev: get list watch",
    "cluster awsgrants/status.alter.dev: patch",
    "cluster awsidentities.alter.dev: list watch",
    "cluster awsidentities/status.alter.dev: patch",
    "cluster events.events.k8s.io: create",
    "cluster namespaces: list watch",
    "cluster pods: get list watch",
    "cluster secrets: list watch create patch delete",
    "namespace leases.coordination.k8s.io: create",
    "namespace leases.coordination.k8s.io[alter-operator]: get update",
    "namespace secrets: get",
];

const CERTIFICATE_KEEPER: &[&str] = &[
    "cluster mutatingwebhookconfigurations.admissionregistration.k8s.io[alter-webhook]: get list watch patch",
    "cluster validatingwebhookconfigurations.admissionregistration.k8s.io[alter-webhook]: get list watch patch",
];

const BROKER_CA: &[&str] = &["cluster configmaps[alter-broker-ca]: list watch create patch"];

#[test]
fn the_operator_keeps_sessions_and_the_certificate() -> Result<(), Failure> {
    let expected = [OPERATOR, CERTIFICATE_KEEPER].concat();
    assert_rights(&configuration("default"), "alter-operator", &expected)
}

#[test]
fn tokens_are_of_the_named_accounts_alone() -> Result<(), Failure> {
    let token = "namespace serviceaccounts/token[aws alter.tenants]: create";
    // The release's leases and webhooks are named as in every configuration; the operator's account is not.
    // This configuration asks for evictions too; the others give no right to them.
    let evict = "cluster pods/eviction: create";
    let expected = [OPERATOR, CERTIFICATE_KEEPER, BROKER_CA, &[token, evict]].concat();
    assert_rights(&configuration("every-value"), "aws", &expected)
}

#[test]
fn with_cert_manager_the_operator_has_no_right_to_a_webhook_configuration() -> Result<(), Failure> {
    let expected = [OPERATOR, BROKER_CA].concat();
    assert_rights(&configuration("cert-manager"), "alter-operator", &expected)
}

/// What is left of the cluster's: the kind that is in no namespace, and the webhook's own configurations.
#[test]
fn where_namespaces_are_named_rights_end_at_those() -> Result<(), Failure> {
    let watched = configuration("watched-namespaces");
    let mut operator = vec![
        "cluster awsidentities.alter.dev: list watch",
        "cluster awsidentities/status.alter.dev: patch",
        "in default: events.events.k8s.io: create",
        "namespace leases.coordination.k8s.io: create",
        "namespace leases.coordination.k8s.io[alter-operator]: get update",
        "namespace secrets: get list watch create patch",
    ];
    operator.extend(CERTIFICATE_KEEPER);
    let mut webhook = vec!["cluster awsidentities.alter.dev: get list watch"];
    let of_namespaces = ["team-a", "team-b"].map(|namespace| {
        [
            "awsgrants.alter.dev: get list watch",
            "awsgrants/status.alter.dev: patch",
            "configmaps[alter-broker-ca]: list watch create patch",
            "events.events.k8s.io: create",
            "pods: get list watch",
            "secrets: list watch create patch delete",
        ]
        .map(|line| format!("in {namespace}: {line}"))
    });
    let of_namespaces = of_namespaces.as_flattened();
    operator.extend(of_namespaces.iter().map(String::as_str));
    webhook.extend([of_namespaces[0].as_str(), of_namespaces[6].as_str()]);
    assert_rights(&watched, "alter-operator", &operator)?;
    assert_rights(&watched, "alter-webhook", &webhook)
}

#[test]
fn the_webhook_reads_both_kinds_and_namespaces_and_no_secret() -> Result<(), Failure> {
    let watched = configuration("watched-namespaces");
    for configuration in configurations()?.into_iter().filter(|own| *own != watched) {
        assert_rights(
            &configuration,
            "alter-webhook",
            &[
                "cluster awsgrants.alter.dev: get list watch",
                "cluster awsidentities.alter.dev: get list watch",
                "cluster namespaces: get list watch",
            ],
        )?;
    }
    Ok(())
}

#[test]
fn the_broker_checks_tokens_and_sees_who_may_have_a_session() -> Result<(), Failure> {
    assert_rights(
        &configuration("cert-manager"),
        "alter-broker",
        &[
            "cluster awsgrants.alter.dev: list watch",
            "cluster awsidentities.alter.dev: list watch",
            "cluster awsidentities/status.alter.dev: patch",
            "cluster namespaces: list watch",
            "cluster pods: list watch",
            "cluster tokenreviews.authentication.k8s.io: create",
            "namespace secrets: get",
        ],
    )?;
    assert_rights(
        &configuration("watched-namespaces"),
        "alter-broker",
        &[
            "cluster awsidentities.alter.dev: list watch",
            "cluster awsidentities/status.alter.dev: patch",
            "cluster tokenreviews.authentication.k8s.io: create",
            "in team-a: awsgrants.alter.dev: list watch",
            "in team-a: pods: list watch",
            "in team-b: awsgrants.alter.dev: list watch",
            "in team-b: pods: list watch",
            "namespace secrets: get",
        ],
    )
}

#[test]
fn no_role_says_any() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        for role in of_kind(&objects, "ClusterRole").chain(of_kind(&objects, "Role")) {
            assert!(!role["rules"].to_string().contains('*'), "{role}");
        }
    }
    Ok(())
}
