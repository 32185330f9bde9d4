//! The program's arguments, each also an environment variable.

use crate::pod::{Broker, Settings, resources::Resources};
use alter_runtime::args::ServerArgs;
use std::{net::SocketAddr, path::PathBuf};

/// Injects the agent into pods that ask for a grant, and validates both kinds.
#[derive(clap::Parser, Clone, Debug)]
#[command(version)]
pub struct Args {
    /// Where the API server's reviews are answered, over TLS.
    #[arg(long, env = "ALTER_ADDRESS", default_value = "0.0.0.0:9443")]
    pub address: SocketAddr,
    /// The folder with tls.crt and tls.key, which is followed as it changes.
    #[arg(
        long,
        env = "ALTER_CERTIFICATE_DIR",
        default_value = "/var/run/alter-webhook/certificate"
    )]
    pub certificate_dir: PathBuf,
    /// The image of the agent that pods get.
    #[arg(long, env = "ALTER_AGENT_IMAGE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub agent_image: String,
    /// When the agent's image is pulled.
    #[arg(
        long,
        env = "ALTER_AGENT_IMAGE_PULL_POLICY",
        value_enum,
        default_value_t = PullPolicy::IfNotPresent
    )]
    pub agent_image_pull_policy: PullPolicy,
    /// Names of Secrets in the pods' namespaces that the agent's image is pulled with, comma-separated.
    #[arg(
        long,
        env = "ALTER_AGENT_IMAGE_PULL_SECRETS",
        value_delimiter = ',',
        default_value = ""
    )]
    pub agent_image_pull_secrets: Vec<String>,
    /// JSON of requests and limits for the agent, where the pod asks for none.
    #[arg(
        long,
        env = "ALTER_AGENT_RESOURCES",
        default_value = r#"{"requests":{"cpu":"10m","memory":"16Mi"},"limits":{"cpu":"200m","memory":"64Mi"}}"#
    )]
    pub agent_resources: Resources,
    /// The agent's port for metrics; 0 for none.
    #[arg(long, env = "ALTER_AGENT_METRICS_PORT", default_value_t = 0)]
    pub agent_metrics_port: u16,
    /// URL of the broker, with its port; none where there is no broker.
    #[arg(long, env = "ALTER_BROKER_URL", default_value = "", value_parser = broker)]
    pub broker_url: BrokerUrl,
    /// What every server takes.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// The broker, if there is one.
#[derive(Clone, Debug, Default)]
pub struct BrokerUrl(Option<Broker>);

fn broker(url: &str) -> Result<BrokerUrl, String> {
    match url {
        "" => Ok(BrokerUrl(None)),
        url => url.parse().map(|broker| BrokerUrl(Some(broker))),
    }
}

/// Kubernetes' `imagePullPolicy`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// The node must have it.
    Never,
}

impl Args {
    /// What of the installation goes into pods.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let secrets = self.agent_image_pull_secrets.iter().map(|name| name.trim());
        Settings {
            image: self.agent_image.clone(),
            pull_policy: match self.agent_image_pull_policy {
                PullPolicy::Always => "Always",
                PullPolicy::IfNotPresent => "IfNotPresent",
                PullPolicy::Never => "Never",
            },
            pull_secrets: secrets
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            resources: self.agent_resources.clone(),
            metrics_port: self.agent_metrics_port,
            broker: self.broker_url.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(
            ["alter-webhook", "--agent-image", "agent:1"]
                .iter()
                .chain(args),
        )
    }

    #[test]
    fn the_image_alone_must_be_said() {
        let settings = parse(&[]).unwrap().settings();
        assert_eq!(settings.pull_policy, "IfNotPresent");
        assert!(settings.pull_secrets.is_empty());
        assert_eq!(settings.metrics_port, 0);
        assert_eq!(settings.resources.limits["memory"], "64Mi");
        assert!(Args::try_parse_from(["alter-webhook", "--agent-image", ""]).is_err());
    }

    #[test]
    fn pull_secrets_are_a_list() {
        let settings = parse(&["--agent-image-pull-secrets", "a, b,"])
            .unwrap()
            .settings();
        assert_eq!(settings.pull_secrets, ["a", "b"]);
    }

    #[test]
    fn resources_that_pods_could_not_have_stop_the_program_at_its_start() {
        let error = parse(&["--agent-resources", r#"{"limits":{"cpu":"much"}}"#])
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"much\" is no amount"), "{error}");
    }
}
