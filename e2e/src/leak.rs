//! No secret key and no session token may stand in any log, event, status or metric.

use crate::{
    Failure, kubectl,
    system::{SYSTEM_NAMESPACE, all_metrics, metrics_of, name, pods},
};
use k8s_openapi::ByteString;
use std::collections::BTreeSet;

/// `agent.metricsPort` of `e2e/values.yaml`.
const AGENT_PORT: u16 = 9912;
/// So much of what stands before a secret is shown.
const SHOWN: usize = 120;

/// Something that a person may read.
#[derive(Clone, Debug)]
pub struct Text {
    /// Where it stands.
    pub place: String,
    /// All of it.
    pub text: String,
}

impl Text {
    /// `text`, which stands at `place`.
    pub fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            text: text.into(),
        }
    }
}

/// Fails if one of the secrets stands in one of the texts: as it is, or as URLs and Secrets write it.
pub fn look(texts: &[Text], secrets: &BTreeSet<String>) -> Result<(), Failure> {
    let forms: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    for Text { place, text } in texts {
        // The first of them, so that what is shown before it holds none.
        let found = forms.iter().filter_map(|form| text.find(form.as_str()));
        if let Some(at) = found.min() {
            let from = text.floor_char_boundary(at.saturating_sub(SHOWN));
            let before = &text[from..at];
            return Err(format!("a secret stands in {place}, after: {before}").into());
        }
    }
    Ok(())
}

fn forms(secret: &str) -> [String; 3] {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    let encoded = secret.bytes().map(encode).collect();
    let base64 = serde_json::json!(ByteString(secret.as_bytes().to_vec()));
    let base64 = base64.as_str().unwrap_or(secret).to_owned();
    [secret.to_owned(), encoded, base64]
}

/// Everything that a person may read of a namespace and of Alter.
pub async fn readable(namespace: &str) -> Result<Vec<Text>, Failure> {
    let mut texts = pod_logs(namespace).await?;
    texts.extend(pod_logs(SYSTEM_NAMESPACE).await?);
    for (what, of) in [
        ("awsgrants,pods,configmaps,events", namespace),
        ("pods,configmaps,leases,events", SYSTEM_NAMESPACE),
        // Those of identities, which have no namespace.
        ("events", "default"),
    ] {
        let yaml = kubectl::run(&["get", what, "-n", of, "-o", "yaml"]).await?;
        texts.push(Text::new(format!("{what} of {of}"), yaml));
    }
    let identities = kubectl::run(&["get", "awsidentities", "-o", "yaml"]).await?;
    texts.push(Text::new("awsidentities", identities));
    for metrics in all_metrics().await? {
        texts.push(Text::new("metrics of the installation", metrics));
    }
    texts.extend(agents_metrics(namespace).await?);
    Ok(texts)
}

async fn agents_metrics(namespace: &str) -> Result<Vec<Text>, Failure> {
    let mut texts = Vec::new();
    for pod in pods(namespace, "").await? {
        let agents = pod["spec"]["initContainers"].as_array();
        let mut agents = agents.into_iter().flatten();
        let (true, Some(name)) = (agents.any(|own| own["name"] == "alter-agent"), name(&pod))
        else {
            continue;
        };
        if !crate::system::serves(&pod) {
            continue;
        }
        if let Some(metrics) = metrics_of(namespace, &name, AGENT_PORT).await? {
            texts.push(Text::new(
                format!("metrics of the agent of {name}"),
                metrics,
            ));
        }
    }
    Ok(texts)
}

/// The logs of every container of a namespace, those of the last restart too. Containers that have not
/// started have none.
pub async fn pod_logs(namespace: &str) -> Result<Vec<Text>, Failure> {
    let mut logs = Vec::new();
    for pod in pods(namespace, "").await?.iter().filter_map(name) {
        for previous in ["--previous=false", "--previous=true"] {
            let containers = "--all-containers";
            let arguments = [
                "logs", "-n", namespace, &pod, containers, "--prefix", previous,
            ];
            let output = kubectl::try_run(&arguments, "").await?;
            let text = output.stdout + &output.stderr;
            logs.push(Text::new(
                format!("log of {namespace}/{pod} ({previous})"),
                text,
            ));
        }
    }
    Ok(logs)
}
