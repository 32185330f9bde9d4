//! No secret key and no session token may stand in any log, event, status or metric.

use crate::{Failure, SYSTEM_NAMESPACE, kubectl};
use alter_crds::names;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinHandle;

/// Remembers every secret value that the Secrets of a namespace ever held.
pub struct Witness {
    seen: Arc<Mutex<BTreeSet<String>>>,
    watch: JoinHandle<()>,
}

impl Witness {
    /// Starts to watch.
    #[must_use]
    pub fn start(client: &Client, namespace: &str) -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let selector = format!("{}={}", names::label::MANAGED_BY, names::label::OPERATOR);
        let stream = watcher(secrets, watcher::Config::default().labels(&selector))
            .default_backoff()
            .applied_objects();
        let memory = Arc::clone(&seen);
        let watch = tokio::spawn(async move {
            let remember = |secret: Secret| {
                let mut seen = memory.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend(values(&secret));
                futures::future::ok(())
            };
            // The watch ends with its namespace.
            let _ = stream.try_for_each(remember).await;
        });
        Self { seen, watch }
    }

    /// Looks for what was seen in everything that a person may read of the namespace and of Alter.
    pub async fn finish(self, namespace: &str) -> Result<(), Failure> {
        self.watch.abort();
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if seen.is_empty() {
            return Ok(());
        }
        let mut texts = pod_logs(namespace).await?;
        texts.extend(pod_logs(SYSTEM_NAMESPACE).await?);
        for what in ["awsgrants", "events", "pods", "configmaps"] {
            texts.push(kubectl::run(&["get", what, "-n", namespace, "-o", "yaml"]).await?);
        }
        texts.push(kubectl::run(&["get", "awsidentities", "-o", "yaml"]).await?);
        texts.extend(metrics().await?);
        match texts.iter().find_map(|text| {
            seen.iter()
                .find_map(|value| Some((text, text.find(value.as_str())?)))
        }) {
            None => Ok(()),
            Some((text, at)) => {
                let head: String = text[..at]
                    .chars()
                    .rev()
                    .take(120)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect();
                Err(format!("a secret stands in readable text, after: {head}").into())
            }
        }
    }
}

/// The secret values of a session's Secret.
fn values(secret: &Secret) -> Vec<String> {
    let file = secret
        .data
        .as_ref()
        .and_then(|data| data.get(alter_protocol::pod::CREDENTIALS_JSON));
    let session = file.and_then(|file| alter_protocol::Session::from_process_json(&file.0).ok());
    session.map_or_else(Vec::new, |session| {
        vec![
            session.secret_access_key.to_string(),
            session.session_token.to_string(),
        ]
    })
}

/// The logs of every container of a namespace, those of the last restart too. Containers that have not
/// started have none.
pub async fn pod_logs(namespace: &str) -> Result<Vec<String>, Failure> {
    let template = r#"{range .items[*]}{.metadata.name}{"\n"}{end}"#;
    let pods = kubectl::run(&[
        "get",
        "pods",
        "-n",
        namespace,
        "-o",
        &format!("jsonpath={template}"),
    ])
    .await?;
    let mut logs = Vec::new();
    for pod in pods.lines() {
        for previous in ["--previous=false", "--previous=true"] {
            let arguments = [
                "logs",
                "-n",
                namespace,
                pod,
                "--all-containers",
                "--prefix",
                previous,
            ];
            let output = kubectl::try_run(&arguments, "").await?;
            logs.push(format!("{pod}\n{}{}", output.stdout, output.stderr));
        }
    }
    Ok(logs)
}

/// What every pod of the installation says of itself.
async fn metrics() -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for pod in serving_pods("app.kubernetes.io/name=alter").await? {
        texts.push(kubectl::run(&["get", "--raw", &metrics_path(&pod)]).await?);
    }
    Ok(texts)
}

/// The installation's pods that are ready and stay: one that is ending answers no more.
pub async fn serving_pods(selector: &str) -> Result<Vec<String>, Failure> {
    let arguments = [
        "get",
        "pods",
        "-n",
        SYSTEM_NAMESPACE,
        "-l",
        selector,
        "-o",
        "json",
    ];
    let list: serde_json::Value = serde_json::from_str(&kubectl::run(&arguments).await?)?;
    let serves = |pod: &&serde_json::Value| {
        let conditions = pod["status"]["conditions"].as_array();
        let ready = conditions
            .into_iter()
            .flatten()
            .any(|own| own["type"] == "Ready" && own["status"] == "True");
        ready && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let pods = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(serves);
    Ok(pods
        .filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned()))
        .collect())
}

/// Path of a pod's metrics, through the API server.
#[must_use]
pub fn metrics_path(pod: &str) -> String {
    format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod}:8081/proxy/metrics")
}
