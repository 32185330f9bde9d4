//! The installation is stopped, restarted, upgraded and removed while tenants go on. One test at a time.

use alter_e2e::{
    Failure, SYSTEM_NAMESPACE, TestNamespace,
    fixture::{IDLE, grant, python_pod},
    kubectl,
    leak::{metrics_path, serving_pods},
    wait, with_temp_namespace,
};
use tokio::process::Command;

const WHO: &str = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";
const HELPER: [&str; 2] = ["/var/run/alter/bin/credential-process", "bedrock"];

async fn scale(deployment: &str, replicas: u32) -> Result<(), Failure> {
    let replicas = format!("--replicas={replicas}");
    kubectl::run(&[
        "scale",
        "-n",
        SYSTEM_NAMESPACE,
        "deployment",
        deployment,
        &replicas,
    ])
    .await?;
    if replicas.ends_with("=0") {
        let selector = format!(
            "app.kubernetes.io/component={}",
            deployment.trim_start_matches("alter-")
        );
        let gone = [
            "wait",
            "pod",
            "-n",
            SYSTEM_NAMESPACE,
            "-l",
            &selector,
            "--for=delete",
            "--timeout=180s",
        ];
        kubectl::run(&gone).await.map(|_| ())
    } else {
        rolled_out(deployment).await
    }
}

async fn rolled_out(deployment: &str) -> Result<(), Failure> {
    let name = format!("deployment/{deployment}");
    kubectl::run(&[
        "rollout",
        "status",
        "-n",
        SYSTEM_NAMESPACE,
        &name,
        "--timeout=240s",
    ])
    .await
    .map(|_| ())
}

async fn pods(component: &str) -> Result<Vec<String>, Failure> {
    serving_pods(&format!("app.kubernetes.io/component={component}")).await
}

/// Sum of a metric's samples that hold `label`, over one pod.
async fn metric(pod: &str, name: &str, label: &str) -> Result<f64, Failure> {
    let text = kubectl::run(&["get", "--raw", &metrics_path(pod)]).await?;
    let samples = text
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(label));
    Ok(samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

async fn with_served_app(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(test, &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        body(&here).await
    })
    .await
}

#[tokio::test]
async fn without_the_webhook_only_annotated_pods_are_refused() -> Result<(), Failure> {
    with_served_app("no-webhook", async |here| {
        scale("alter-webhook", 0).await?;
        let refusals = async {
            here.ready_pod("plain", &python_pod("plain", "", IDLE))
                .await?;
            let annotated = python_pod("annotated", "alter.dev/grant: bedrock", IDLE);
            let said = here.refused(&annotated).await?;
            assert!(said.contains("alter-webhook"), "{said}");
            let own = kubectl::apply(SYSTEM_NAMESPACE, &annotated).await?;
            assert!(
                !own.success && own.stderr.contains("alter-webhook"),
                "{own:?}"
            );
            let plain = kubectl::apply(SYSTEM_NAMESPACE, &python_pod("plain", "", IDLE)).await?;
            assert!(plain.success, "{plain:?}");
            kubectl::run(&[
                "delete",
                "pod",
                "plain",
                "-n",
                SYSTEM_NAMESPACE,
                "--wait=false",
            ])
            .await?;
            Ok::<(), Failure>(())
        }
        .await;
        scale("alter-webhook", 2).await?;
        refusals?;
        // Ready pods take a moment to reach the node's service rules.
        let again = python_pod("again", "alter.dev/grant: bedrock", IDLE);
        wait::until_found("the webhook answers again", async || {
            Ok(kubectl::apply(&here.name, &again)
                .await?
                .success
                .then_some(()))
        })
        .await?;
        wait::pod_ready(&here.client, &here.name, "again")
            .await
            .map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_restarted_operator_issues_nothing_anew() -> Result<(), Failure> {
    with_served_app("restart", async |here| {
        kubectl::run(&[
            "rollout",
            "restart",
            "-n",
            SYSTEM_NAMESPACE,
            "deployment/alter-operator",
        ])
        .await?;
        rolled_out("alter-operator").await?;
        // Another grant becomes ready: by then the new leader has looked at the first one too.
        here.ready_grant("later", "").await?;
        let mut issued = 0.0;
        for pod in pods("operator").await? {
            issued += metric(&pod, "alter_sts_calls_total", "operation=\"AssumeRole\"").await?;
        }
        assert!(
            (issued - 1.0).abs() < f64::EPSILON,
            "{issued} sessions were issued for one new grant"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn of_two_operators_one_writes() -> Result<(), Failure> {
    with_served_app("two-replicas", async |here| {
        scale("alter-operator", 2).await?;
        here.ready_grant("second", "").await?;
        let operators = pods("operator").await?;
        assert_eq!(operators.len(), 2, "{operators:?}");
        let (mut leaders, mut writers) = (0.0, 0);
        for pod in &operators {
            leaders += metric(pod, "alter_leader", "").await?;
            writers += u32::from(metric(pod, "alter_sts_calls_total", "AssumeRole").await? > 0.0);
        }
        assert!((leaders - 1.0).abs() < f64::EPSILON, "{leaders} leaders");
        assert_eq!(writers, 1);
        Ok(())
    })
    .await
}

async fn helm(arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new("helm")
        .args(arguments)
        .args(["--namespace", SYSTEM_NAMESPACE])
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("helm {arguments:?}: {status}").into())
    }
}

/// The values of `e2e/run`, so that the installation is the same afterwards.
async fn install() -> Result<(), Failure> {
    let (chart, values) = (
        concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/alter"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/values.yaml"),
    );
    helm(&[
        "upgrade",
        "--install",
        "alter",
        chart,
        "--values",
        values,
        "--wait",
        "--timeout",
        "5m",
    ])
    .await
}

#[tokio::test]
async fn an_upgrade_leaves_running_pods_alone() -> Result<(), Failure> {
    with_served_app("upgrade", async |here| {
        let ca = r"jsonpath={.webhooks[0].clientConfig.caBundle}";
        let bundle = [
            "get",
            "mutatingwebhookconfiguration",
            "alter-webhook",
            "-o",
            ca,
        ];
        let before = kubectl::run(&bundle).await?;
        install().await?;
        assert_eq!(
            kubectl::run(&bundle).await?,
            before,
            "the bundle survives an upgrade"
        );
        assert!(here.python("app", WHO).await?.contains("assumed-role"));
        here.ready_pod("new", &python_pod("new", "alter.dev/grant: bedrock", IDLE))
            .await
    })
    .await
}

#[tokio::test]
async fn uninstalling_keeps_grants_and_running_sessions() -> Result<(), Failure> {
    with_served_app("uninstall", async |here| {
        helm(&["uninstall", "alter", "--wait"]).await?;
        let while_gone = async {
            let kept =
                kubectl::run(&["get", "awsgrant", "bedrock", "-n", &here.name, "-o", "name"])
                    .await?;
            assert_eq!(kept.trim_end(), "awsgrant.alter.dev/bedrock");
            let output = kubectl::exec(&here.name, "app", "app", &HELPER).await?;
            assert!(output.success, "{output:?}");
            here.ready_pod(
                "plain",
                &python_pod("plain", "alter.dev/grant: bedrock", IDLE),
            )
            .await?;
            let containers = kubectl::run(&[
                "get",
                "pod",
                "plain",
                "-n",
                &here.name,
                "-o",
                "jsonpath={.spec.initContainers}",
            ])
            .await?;
            assert_eq!(
                containers, "",
                "nothing injects any more, and nothing stands in the way"
            );
            Ok::<(), Failure>(())
        }
        .await;
        install().await?;
        while_gone?;
        here.grant_ready("bedrock").await?;
        here.apply(&grant(&here.name, "after", "")).await?;
        here.grant_ready("after").await.map(|_| ())
    })
    .await
}
