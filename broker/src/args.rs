//! The broker's arguments; each is also an environment variable.

use alter_issuer::Options;
use alter_runtime::args::{self, ServerArgs};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Answers pods with AWS sessions of their own, for AwsGrants whose store is Broker.
#[derive(clap::Parser, Clone, Debug)]
// Doc comments become the help, where backticks are noise.
#[allow(clippy::doc_markdown)]
#[command(name = "alter-broker", version)]
pub struct Args {
    /// What every server takes.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where agents are answered, over TLS.
    #[arg(long, env = "ALTER_ADDRESS", default_value = "0.0.0.0:9914")]
    pub address: SocketAddr,
    /// The folder with tls.crt and tls.key, which is followed as it changes.
    #[arg(
        long,
        env = "ALTER_CERTIFICATE_DIR",
        default_value = "/var/run/alter-broker/certificate"
    )]
    pub certificate_dir: PathBuf,
    /// How many connections are served at once: each agent holds one.
    #[arg(long, env = "ALTER_CONNECTIONS", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub connections: u32,
    /// The broker's own namespace, where the Secrets with access keys are.
    #[arg(long, env = "ALTER_NAMESPACE")]
    pub namespace: String,
    /// What {cluster} stands for in templates, and the value of the session tag alter-cluster.
    #[arg(long, env = "ALTER_CLUSTER_NAME", default_value = "")]
    pub cluster_name: String,
    /// Sessions are not renewed more often than this.
    #[arg(long, env = "ALTER_MIN_REFRESH_INTERVAL", default_value = "5m", value_parser = args::interval)]
    pub min_refresh_interval: Duration,
    /// STS calls a second that all replicas together may make in the long run, for each identity.
    #[arg(long, env = "ALTER_STS_RATE", default_value_t = 50.0, value_parser = args::rate)]
    pub sts_rate: f64,
    /// STS calls that all replicas together may make at once, for each identity.
    #[arg(long, env = "ALTER_STS_BURST", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub sts_burst: u32,
    /// How many replicas share rate and burst.
    #[arg(long, env = "ALTER_REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub replicas: u32,
}

impl Args {
    /// How this replica's issuer is set up: with its part of the budget.
    #[must_use]
    pub fn issuer(&self) -> Options {
        Options {
            namespace: self.namespace.clone(),
            cluster: self.cluster_name.clone(),
            rate: self.sts_rate / f64::from(self.replicas),
            // At least one, or it would never call.
            burst: (self.sts_burst / self.replicas).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parse(more: &[&str]) -> Result<Args, String> {
        let own = ["alter-broker", "--namespace", "alter"];
        Args::try_parse_from(own.iter().chain(more)).map_err(|error| error.to_string())
    }

    #[test]
    fn each_replica_takes_its_part_of_the_budget() {
        let options = parse(&["--replicas", "4"]).unwrap().issuer();
        assert_eq!((options.rate, options.burst), (12.5, 25));
        let options = parse(&["--replicas", "4", "--sts-burst", "2"]);
        assert_eq!(options.unwrap().issuer().burst, 1);
    }

    #[test]
    fn amounts_that_would_stop_everything_are_refused() {
        for wrong in [
            ["--sts-rate", "0"],
            ["--sts-rate", "NaN"],
            ["--sts-burst", "0"],
            ["--replicas", "0"],
            ["--connections", "0"],
            ["--min-refresh-interval", "0s"],
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
