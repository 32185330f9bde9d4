//! The command line of `alter-agent`; the webhook sets the environment of the injected container.

use std::net::SocketAddr;
use std::path::PathBuf;

use alter_policy::name::{NameError, check_grant_name};
use alter_protocol::grant::Delivery;
use alter_protocol::pod;
use clap::Parser;

use crate::broker::{Address, Url};
use crate::layout::Layout;
use crate::serve::Settings;
use crate::state::Pod;

/// Gives a pod's containers the AWS sessions of its grants.
#[derive(Debug, Parser)]
#[command(name = "alter-agent", version)]
pub enum Command {
    /// Serves sessions until SIGTERM.
    Serve(Box<Serve>),
    /// Exits 0 once every grant of the pod was served, else 1 with the reason: the startup probe.
    Ready(Ready),
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Grants in the order of the pod's annotation; the first is the default profile
    #[arg(long, env = pod::env::GRANTS, value_delimiter = ',', required = true, value_parser = grant_name)]
    grants: Vec<String>,
    /// How the pod's containers get a session: process, endpoint, imds
    #[arg(long, env = pod::env::DELIVERY, default_value_t = Delivery::Process)]
    delivery: Delivery,
    /// The service account that the pod runs as
    #[arg(long, env = pod::env::SERVICE_ACCOUNT)]
    service_account: String,
    /// Where to serve /metrics; nowhere by default, since the whole pod network could read it
    #[arg(long, env = pod::env::METRICS_ADDRESS)]
    metrics_address: Option<SocketAddr>,
    /// The broker's URL
    #[arg(long, env = pod::env::BROKER_URL, requires = "broker_grants")]
    broker_url: Option<Url>,
    /// Those of the grants whose sessions come from the broker
    #[arg(long, env = pod::env::BROKER_GRANTS, value_delimiter = ',', requires = "broker_url", value_parser = grant_name)]
    broker_grants: Vec<String>,
    /// The folder with the token for the broker, and its CAs
    #[arg(long, hide = true, default_value = pod::BROKER_DIR)]
    broker_dir: PathBuf,
    /// The volume shared with the app
    #[arg(long, hide = true, default_value = pod::SHARED_DIR)]
    shared_dir: PathBuf,
    /// Where the grants' Secrets are mounted
    #[arg(long, hide = true, default_value = pod::GRANTS_DIR)]
    grants_dir: PathBuf,
    /// The helper in the agent's image
    #[arg(long, hide = true, default_value = "/credential-process")]
    helper: PathBuf,
    /// Where the container credentials endpoint, or instance metadata, listens
    #[arg(long, hide = true, default_value = pod::ENDPOINT_ADDRESS)]
    endpoint_address: SocketAddr,
}

/// Arguments of `ready`.
#[derive(Debug, clap::Args)]
pub struct Ready {
    /// The volume shared with the app
    #[arg(long, hide = true, default_value = pod::SHARED_DIR)]
    shared_dir: PathBuf,
}

impl Serve {
    /// What the agent is told, by this command line.
    #[must_use]
    pub fn into_settings(self) -> Settings {
        let mut grants: Vec<String> = Vec::with_capacity(self.grants.len());
        for grant in self.grants {
            // Named twice it would be two profiles of one name, which SDKs refuse.
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        let (folder, broker_grants) = (self.broker_dir, self.broker_grants);
        let broker = self
            .broker_url
            .map(|url| (Address { url, folder }, broker_grants));
        Settings {
            grants,
            broker,
            pod: Pod {
                service_account: self.service_account,
                delivery: self.delivery,
            },
            layout: Layout::new(self.shared_dir),
            grants_dir: self.grants_dir,
            helper: self.helper,
            endpoint_address: self.endpoint_address,
            metrics_address: self.metrics_address,
        }
    }
}

impl Ready {
    /// Where the agent to ask writes.
    #[must_use]
    pub fn into_layout(self) -> Layout {
        Layout::new(self.shared_dir)
    }
}

fn grant_name(text: &str) -> Result<String, NameError> {
    check_grant_name(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Settings, clap::Error> {
        let args = ["alter-agent", "serve", "--service-account", "app"]
            .iter()
            .chain(args);
        match Command::try_parse_from(args)? {
            Command::Serve(serve) => Ok(serve.into_settings()),
            Command::Ready(_) => panic!("not ready"),
        }
    }

    #[test]
    fn grants_keep_their_order_and_come_once() {
        let settings = parse(&["--grants", "s3,bedrock,s3"]).unwrap();
        assert_eq!(settings.grants, ["s3", "bedrock"]);
        assert_eq!(settings.pod.delivery, Delivery::Process);
        assert_eq!(settings.layout.socket().to_str(), Some(pod::SOCKET));
    }

    #[test]
    fn what_could_leave_its_folder_is_no_grant() {
        for bad in ["../etc", "a/b", "", "a,,b", "A"] {
            assert!(parse(&["--grants", bad]).is_err(), "{bad}");
        }
        assert!(parse(&[]).is_err());
    }

    #[test]
    fn the_broker_is_named_with_the_grants_that_it_serves() {
        let url = "https://alter-broker.alter.svc:9914";
        let grants = ["--grants", "a,b"];
        let with = |more: &[&str]| parse(&[&grants[..], more].concat());
        let (_, from_broker) = with(&["--broker-url", url, "--broker-grants", "b"])
            .unwrap()
            .broker
            .unwrap();
        assert_eq!(from_broker, ["b"]);
        assert!(with(&[]).unwrap().broker.is_none());
        assert!(with(&["--broker-url", url]).is_err());
        assert!(with(&["--broker-grants", "b"]).is_err());
        assert!(with(&["--broker-url", "http://a", "--broker-grants", "b"]).is_err());
    }

    #[test]
    fn an_unknown_delivery_is_told_the_known_ones() {
        let error = parse(&["--grants", "a", "--delivery", "proxy"])
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("write one of process, endpoint, imds")
        );
    }
}
