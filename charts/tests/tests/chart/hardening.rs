//! Every pod of every configuration is as hard as the chart says.

use alter_chart_tests::{
    Failure,
    manifest::{list, of_kind, pods, text, title},
    render::{configurations, render},
};
use serde_json::{Value, json};

/// What `check` finds wrong with the pods of every configuration.
fn in_every_pod(check: impl Fn(&Value) -> Option<String>) -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        let mut seen = 0;
        for (workload, pod) in pods(&objects) {
            seen += 1;
            if let Some(wrong) = check(pod) {
                return Err(format!("{} {workload}: {wrong}", configuration.display()).into());
            }
        }
        // Those of the Deployments, and the pod of `helm test`.
        let deployments = of_kind(&objects, "Deployment").count();
        assert!((2..=3).contains(&deployments));
        assert_eq!(seen, deployments + 1, "pods of {}", configuration.display());
    }
    Ok(())
}

/// What `check` finds wrong with the containers of every configuration.
fn in_every_container(check: impl Fn(&Value) -> Option<String>) -> Result<(), Failure> {
    in_every_pod(|pod| {
        assert!(list(pod, "/spec/initContainers").is_empty());
        let containers = list(pod, "/spec/containers");
        assert!(!containers.is_empty());
        containers.iter().find_map(&check)
    })
}

fn differs(object: &Value, pointer: &str, expected: &Value) -> Option<String> {
    let found = object.pointer(pointer).unwrap_or(&Value::Null);
    (found != expected).then(|| format!("{pointer} is {found}, not {expected}"))
}

#[test]
fn runs_as_the_images_user_and_no_other() -> Result<(), Failure> {
    in_every_pod(|pod| {
        let context = json!({
            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        differs(pod, "/spec/securityContext", &context)
    })
}

#[test]
fn containers_have_no_capability_and_a_read_only_root() -> Result<(), Failure> {
    in_every_container(|container| {
        let context = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
        });
        differs(container, "/securityContext", &context)
    })
}

#[test]
fn containers_have_requests_and_a_memory_limit() -> Result<(), Failure> {
    in_every_container(|container| {
        ["/requests/cpu", "/requests/memory", "/limits/memory"]
            .into_iter()
            .find(|amount| container.pointer(&format!("/resources{amount}")).is_none())
            .map(|missing| format!("no resources{missing}"))
    })
}

#[test]
fn servers_are_probed() -> Result<(), Failure> {
    in_every_container(|container| {
        if text(container, "/name") == "test" {
            return None;
        }
        [
            ("/livenessProbe/httpGet", "/livez"),
            ("/readinessProbe/httpGet", "/readyz"),
        ]
        .into_iter()
        .find_map(|(probe, path)| {
            differs(container, probe, &json!({"path": path, "port": "health"}))
        })
    })
}

#[test]
fn no_pod_gets_a_token_by_its_service_account() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        let deployments = of_kind(&objects, "Deployment").count();
        assert_eq!(of_kind(&objects, "ServiceAccount").count(), deployments);
        for account in of_kind(&objects, "ServiceAccount") {
            let automount = differs(account, "/automountServiceAccountToken", &json!(false));
            assert_eq!(automount, None, "{}", title(account));
        }
        for (workload, pod) in pods(&objects) {
            let needs_one = workload.starts_with("Deployment/");
            let automount = differs(pod, "/spec/automountServiceAccountToken", &json!(needs_one));
            assert_eq!(automount, None, "{workload}");
        }
    }
    Ok(())
}

#[test]
fn budgets_let_one_pod_go_and_block_no_drain_of_the_only_one() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        for workload in of_kind(&objects, "Deployment") {
            let name = text(workload, "/metadata/name");
            let several = workload.pointer("/spec/replicas") != Some(&json!(1));
            let budget = of_kind(&objects, "PodDisruptionBudget")
                .find(|budget| text(budget, "/metadata/name") == name);
            assert_eq!(
                budget.is_some(),
                several,
                "{} {name}",
                configuration.display()
            );
            if let Some(budget) = budget {
                assert_eq!(differs(budget, "/spec/maxUnavailable", &json!(1)), None);
                let selector = workload.pointer("/spec/selector").unwrap();
                assert_eq!(differs(budget, "/spec/selector", selector), None);
            }
        }
    }
    Ok(())
}

#[test]
fn pods_spread_where_they_can_and_start_where_they_cannot() -> Result<(), Failure> {
    in_every_pod(|pod| {
        let constraints = list(pod, "/spec/topologySpreadConstraints");
        let server = text(pod, "/metadata/labels/app.kubernetes.io~1component") != "test";
        if server && constraints.is_empty() {
            return Some("no topologySpreadConstraints".to_owned());
        }
        constraints.iter().find_map(|constraint| {
            differs(constraint, "/whenUnsatisfiable", &json!("ScheduleAnyway"))
        })
    })
}
