//! The operator's arguments; each is also an environment variable.

use alter_runtime::args::{self, ServerArgs};
use std::time::Duration;

/// Keeps AWS sessions for AwsGrants in Secrets, and the certificate of Alter's webhook.
#[derive(clap::Parser, Clone, Debug)]
// Doc comments become the help, where backticks are noise.
#[allow(clippy::doc_markdown)]
#[command(name = "alter-operator", version)]
pub struct Args {
    /// What every server takes.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The operator's own namespace: of its Lease, of access keys, and of the webhook's certificate.
    #[arg(long, env = "ALTER_NAMESPACE")]
    pub namespace: String,
    /// The pod's name, by which it holds the Lease.
    #[arg(long, env = "ALTER_POD_NAME")]
    pub pod_name: String,
    /// What {cluster} stands for in templates, and the value of the session tag alter-cluster.
    #[arg(long, env = "ALTER_CLUSTER_NAME", default_value = "")]
    pub cluster_name: String,
    /// The Lease by which replicas agree on who writes.
    #[arg(long, env = "ALTER_LEASE_NAME", default_value = "alter-operator")]
    pub lease_name: String,
    /// Sessions are not renewed more often than this.
    #[arg(long, env = "ALTER_MIN_REFRESH_INTERVAL", default_value = "5m", value_parser = args::interval)]
    pub min_refresh_interval: Duration,
    /// STS calls a second that each identity may make in the long run.
    #[arg(long, env = "ALTER_STS_RATE", default_value_t = 50.0, value_parser = args::rate)]
    pub sts_rate: f64,
    /// STS calls that each identity may make at once.
    #[arg(long, env = "ALTER_STS_BURST", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub sts_burst: u32,
    /// How often pods are listed to find those that ask for a grant and run without an agent.
    #[arg(long, env = "ALTER_ORPHAN_INTERVAL", default_value = "5m", value_parser = args::interval)]
    pub orphan_interval: Duration,
    /// Evict such pods, a few at a time, where a controller makes another in their place.
    #[arg(long, env = "ALTER_EVICT_ORPHANS", default_value_t = false, action = clap::ArgAction::Set)]
    pub evict_orphans: bool,
    /// How many grants are looked at side by side.
    #[arg(long, env = "ALTER_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Who keeps the webhook's certificate.
    #[arg(long, env = "ALTER_CERTIFICATES", value_enum, default_value_t = Certificates::Self_)]
    pub certificates: Certificates,
    /// The webhook's Service, for which its certificate is.
    #[arg(long, env = "ALTER_WEBHOOK_SERVICE", default_value = "alter-webhook")]
    pub webhook_service: String,
    /// The Secret with the webhook's certificate.
    #[arg(
        long,
        env = "ALTER_CERTIFICATE_SECRET",
        default_value = "alter-webhook-certificate"
    )]
    pub certificate_secret: String,
    /// The broker's Service, for which its certificate is; none where there is no broker.
    #[arg(long, env = "ALTER_BROKER_SERVICE", default_value = "")]
    pub broker_service: String,
    /// Name of the webhook's MutatingWebhookConfiguration and ValidatingWebhookConfiguration.
    #[arg(
        long,
        env = "ALTER_WEBHOOK_CONFIGURATION",
        default_value = "alter-webhook"
    )]
    pub webhook_configuration: String,
}

/// Who keeps the webhook's certificate.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// The operator.
    #[value(name = "self")]
    Self_,
    /// Another, such as cert-manager.
    External,
}

impl Args {
    /// Whether there is a broker.
    pub(crate) fn has_broker(&self) -> bool {
        !self.broker_service.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parse(more: &[&str]) -> Result<Args, String> {
        let own = ["alter-operator", "--namespace", "alter", "--pod-name", "p"];
        Args::try_parse_from(own.iter().chain(more)).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_pod_itself_must_be_said() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.min_refresh_interval, Duration::from_mins(5));
        assert_eq!(
            (args.sts_rate, args.sts_burst, args.concurrency),
            (50.0, 100, 32)
        );
        assert_eq!(args.certificates, Certificates::Self_);
        assert!(!args.evict_orphans, "only if asked for");
        assert_eq!(args.lease_name, "alter-operator");
    }

    #[test]
    fn what_would_stall_or_spin_is_refused_with_the_mend() {
        for (flag, value, mend) in [
            ("--min-refresh-interval", "0s", "1s or more"),
            ("--min-refresh-interval", "soon", "such as 5m"),
            ("--sts-rate", "0", "above zero"),
            ("--sts-rate", "NaN", "above zero"),
            ("--sts-burst", "0", "1.."),
            ("--concurrency", "0", "1.."),
        ] {
            let error = parse(&[flag, value]).unwrap_err();
            assert!(error.contains(mend), "{flag} {value}: {error}");
        }
    }
}
