//! The installation under test: its pods, what they count, and its scale.

use crate::{Failure, kubectl, wait};
use serde_json::Value;

/// Namespace of the installation.
pub const SYSTEM_NAMESPACE: &str = "alter-system";
/// Deployment of the operator.
pub const OPERATOR: &str = "alter-operator";
/// Deployment of the webhook.
pub const WEBHOOK: &str = "alter-webhook";
/// Deployment of the broker.
pub const BROKER: &str = "alter-broker";
/// Where each of them serves its metrics.
const HEALTH_PORT: u16 = 8081;

/// Pods of a namespace, as the API server gives them.
pub async fn pods(namespace: &str, selector: &str) -> Result<Vec<Value>, Failure> {
    let arguments = ["get", "pods", "-n", namespace, "-l", selector, "-o", "json"];
    let list: Value = serde_json::from_str(&kubectl::run(&arguments).await?)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Names of a deployment's pods that are ready and stay: one that is ending answers no more.
pub async fn serving(deployment: &str) -> Result<Vec<String>, Failure> {
    let pods = pods(SYSTEM_NAMESPACE, &selector(deployment)).await?;
    Ok(pods
        .iter()
        .filter(|pod| serves(pod))
        .filter_map(name)
        .collect())
}

/// Each pod of the installation that is not ending, and how often its container was restarted: what stays while
/// none crashes.
pub async fn lives() -> Result<Vec<String>, Failure> {
    let pods = pods(SYSTEM_NAMESPACE, "app.kubernetes.io/name=alter").await?;
    let life = |pod: &Value| {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        format!("{} {restarts}", name(pod).unwrap_or_default())
    };
    let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    Ok(pods.iter().filter(stays).map(life).collect())
}

/// Whether a pod is ready and stays.
#[must_use]
pub fn serves(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|own| own["type"] == "Ready" && own["status"] == "True");
    ready && pod["metadata"]["deletionTimestamp"].is_null()
}

/// An object's name.
#[must_use]
pub fn name(object: &Value) -> Option<String> {
    Some(object["metadata"]["name"].as_str()?.to_owned())
}

fn selector(deployment: &str) -> String {
    let component = deployment.trim_start_matches("alter-");
    format!("app.kubernetes.io/name=alter,app.kubernetes.io/component={component}")
}

/// What a pod counts, through the API server; `None` once it no longer serves.
pub async fn metrics_of(namespace: &str, pod: &str, port: u16) -> Result<Option<String>, Failure> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics");
    wait::until_found(&format!("metrics of {pod}"), async || {
        let output = kubectl::try_run(&["get", "--raw", &path], "").await?;
        if output.success {
            return Ok(Some(Some(output.stdout)));
        }
        let found = [
            "get",
            "pod",
            pod,
            "-n",
            namespace,
            "-o",
            "json",
            "--ignore-not-found",
        ];
        let found = kubectl::run(&found).await?;
        let stays = !found.trim().is_empty() && serves(&serde_json::from_str(&found)?);
        Ok((!stays).then_some(None))
    })
    .await
}

/// The metrics of operator, webhook and broker.
pub async fn all_metrics() -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for deployment in [OPERATOR, WEBHOOK, BROKER] {
        for pod in serving(deployment).await? {
            texts.extend(metrics_of(SYSTEM_NAMESPACE, &pod, HEALTH_PORT).await?);
        }
    }
    Ok(texts)
}

/// Sum of a metric's samples that hold `label`, over one pod of the installation; 0 once it is gone.
pub async fn metric(pod: &str, name: &str, label: &str) -> Result<u64, Failure> {
    let text = metrics_of(SYSTEM_NAMESPACE, pod, HEALTH_PORT).await?;
    let text = text.unwrap_or_default();
    let samples = text
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(label));
    Ok(samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum())
}

/// Waits until one replica of the operator leads, has looked at as many grants as there are, and gives its
/// name. `not` are names of pods that may not be it.
pub async fn working_leader(not: &[String]) -> Result<String, Failure> {
    wait::until_found("a leader that has looked at every grant", async || {
        let grants = kubectl::run(&["get", "awsgrants", "-A", "-o", "name"]).await?;
        for pod in serving(OPERATOR).await? {
            let looked = metric(&pod, "alter_reconciles_total", "kind=\"AwsGrant\"").await?;
            let leads = metric(&pod, "alter_leader", "").await? > 0;
            let all = u64::try_from(grants.lines().count())?;
            if leads && looked >= all.max(1) && !not.contains(&pod) {
                return Ok(Some(pod));
            }
        }
        Ok(None)
    })
    .await
}

/// Scales a deployment, and waits until it is so.
pub async fn scale(deployment: &str, replicas: u32) -> Result<(), Failure> {
    let replicas = format!("--replicas={replicas}");
    let scale = [
        "scale",
        "-n",
        SYSTEM_NAMESPACE,
        "deployment",
        deployment,
        &replicas,
    ];
    kubectl::run(&scale).await?;
    if replicas != "--replicas=0" {
        return rolled_out(deployment).await;
    }
    let selector = selector(deployment);
    wait::until_found("no pod is left", async || {
        let left = pods(SYSTEM_NAMESPACE, &selector).await?;
        Ok(left.is_empty().then_some(()))
    })
    .await
}

/// Waits until all replicas of a deployment are its latest, and ready.
pub async fn rolled_out(deployment: &str) -> Result<(), Failure> {
    let name = format!("deployment/{deployment}");
    let status = [
        "rollout",
        "status",
        "-n",
        SYSTEM_NAMESPACE,
        &name,
        "--timeout=230s",
    ];
    kubectl::run(&status).await.map(|_| ())
}
