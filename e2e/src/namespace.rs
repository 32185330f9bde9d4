//! A namespace and an identity of its own for each test; everything in it is shown when the test fails.

use crate::{Failure, fixture, kubectl, leak, system::SYSTEM_NAMESPACE, witness::Witness};
use futures::FutureExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

/// Where a test lives.
#[derive(Clone)]
pub struct TestNamespace {
    /// The cluster.
    pub client: Client,
    /// Name of the namespace, and of the test's own `AwsIdentity`.
    pub name: String,
    /// Logs of pods that are gone since.
    kept: Arc<Mutex<Vec<leak::Text>>>,
}

impl TestNamespace {
    /// Keeps the installation's logs of up to now, which go with its pods, for the look for secrets.
    pub async fn keep_logs(&self) -> Result<(), Failure> {
        let logs = leak::pod_logs(SYSTEM_NAMESPACE).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(logs);
        Ok(())
    }
}

/// Runs a test in a namespace of its own, which goes afterwards.
///
/// Every session of the namespace is witnessed, and at the end no log, event, status or metric may hold
/// its secrets.
pub async fn with_temp_namespace<F, Fut>(
    test: &str,
    labels: &[(&str, &str)],
    body: F,
) -> Result<(), Failure>
where
    F: FnOnce(TestNamespace) -> Fut,
    Fut: Future<Output = Result<(), Failure>>,
{
    if fixture::python_image().is_empty() {
        let name = fixture::PYTHON_IMAGE;
        return Err(format!("{name} names no image: run these tests by `make e2e`").into());
    }
    // A provider may be there already, from another test of this program.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::try_default().await?;
    let name = format!("{test}-{}", std::process::id());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .create(&PostParams::default(), &namespace(&name, labels))
        .await?;
    let witness = Witness::start(&client, &name);
    let kept = Arc::<Mutex<Vec<leak::Text>>>::default();
    let here = TestNamespace {
        client,
        name: name.clone(),
        kept: Arc::clone(&kept),
    };
    let outcome = match AssertUnwindSafe(body(here)).catch_unwind().await {
        Ok(Ok(())) => {
            let kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
            witness.finish(&name, kept).await
        }
        Ok(Err(failure)) => Err(failure),
        Err(panic) => {
            show(&name).await;
            std::panic::resume_unwind(panic)
        }
    };
    if outcome.is_err() {
        show(&name).await;
    }
    let _ = kubectl::run(&[
        "delete",
        "awsidentity",
        &name,
        "--ignore-not-found",
        "--wait=false",
    ])
    .await;
    namespaces
        .delete(&name, &DeleteParams::background())
        .await?;
    outcome
}

fn namespace(name: &str, labels: &[(&str, &str)]) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    namespace.metadata.labels = Some(labels.collect::<BTreeMap<_, _>>());
    namespace
}

/// Shows what a person would look at, Secrets left out.
async fn show(namespace: &str) {
    let commands: [&[&str]; 9] = [
        &["get", "nodes,pods", "-A", "-o", "wide"],
        &["get", "awsgrants", "-n", namespace, "-o", "wide"],
        &["get", "awsgrants", "-n", namespace, "-o", "yaml"],
        &["get", "awsidentity", namespace, "-o", "yaml"],
        &[
            "get",
            "events",
            "-n",
            namespace,
            "--sort-by",
            ".lastTimestamp",
        ],
        &["describe", "pods", "-n", namespace],
        &["describe", "pods", "-n", SYSTEM_NAMESPACE],
        &["get", "events", "-n", SYSTEM_NAMESPACE],
        &[
            "logs",
            "-n",
            SYSTEM_NAMESPACE,
            "-l",
            "app.kubernetes.io/name=alter",
            "--prefix",
            "--tail",
            "60",
        ],
    ];
    for command in commands {
        let shown = kubectl::run(command)
            .await
            .unwrap_or_else(|error| error.to_string());
        eprintln!("--- kubectl {}\n{shown}", command.join(" "));
    }
    for leak::Text { place, text } in leak::pod_logs(namespace).await.unwrap_or_default() {
        eprintln!("--- {place}\n{text}");
    }
}
