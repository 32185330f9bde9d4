//! The programs understand what the chart tells them.

use alter_broker::args::Args as Broker;
use alter_chart_tests::{
    Failure,
    manifest::{find, list},
    render::{configuration, configurations, render},
};
use alter_operator::args::{Args as Operator, Certificates};
use alter_runtime::watch::Scope;
use alter_webhook::args::Args as Webhook;
use clap::{CommandFactory, Parser};
use serde_json::Value;
use std::time::Duration;

/// The command line of a Deployment's container.
fn command_line(objects: &[Value], name: &str) -> Result<Vec<String>, Failure> {
    let deployment = find(objects, "Deployment", name).ok_or("no such Deployment")?;
    let container = &list(deployment, "/spec/template/spec/containers")[0];
    let words = list(container, "/command")
        .iter()
        .chain(list(container, "/args"));
    Ok(words.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn operator(objects: &[Value]) -> Result<Operator, Failure> {
    Ok(Operator::try_parse_from(command_line(
        objects,
        "alter-operator",
    )?)?)
}

fn webhook(objects: &[Value]) -> Result<Webhook, Failure> {
    Ok(Webhook::try_parse_from(command_line(
        objects,
        "alter-webhook",
    )?)?)
}

fn broker(objects: &[Value]) -> Result<Broker, Failure> {
    Ok(Broker::try_parse_from(command_line(
        objects,
        "alter-broker",
    )?)?)
}

#[test]
fn are_understood_in_every_configuration() -> Result<(), Failure> {
    for configuration in configurations()? {
        let objects = render(&configuration, &[])?;
        operator(&objects).map_err(|error| format!("{}: {error}", configuration.display()))?;
        webhook(&objects).map_err(|error| format!("{}: {error}", configuration.display()))?;
        if find(&objects, "Deployment", "alter-broker").is_some() {
            broker(&objects).map_err(|error| format!("{}: {error}", configuration.display()))?;
        }
    }
    Ok(())
}

#[test]
fn name_the_namespaces_that_are_watched() -> Result<(), Failure> {
    let objects = render(&configuration("watched-namespaces"), &[])?;
    let expected = Scope::Namespaces(vec!["team-a".to_owned(), "team-b".to_owned()]);
    assert_eq!(operator(&objects)?.server.watch_namespaces, expected);
    assert_eq!(webhook(&objects)?.server.watch_namespaces, expected);
    let objects = render(&configuration("default"), &[])?;
    assert_eq!(operator(&objects)?.server.watch_namespaces, Scope::Cluster);
    Ok(())
}

#[test]
fn carry_the_values() -> Result<(), Failure> {
    let objects = render(&configuration("every-value"), &[])?;
    let operator = operator(&objects)?;
    assert_eq!(operator.cluster_name, "production");
    assert_eq!(operator.min_refresh_interval, Duration::from_secs(90));
    assert_eq!((operator.sts_rate, operator.sts_burst), (0.5, 1));
    assert_eq!(operator.concurrency, 4);
    assert_eq!(operator.orphan_interval, Duration::from_mins(90));
    assert!(operator.evict_orphans);
    assert_eq!(operator.certificates, Certificates::Self_);

    let agent = webhook(&objects)?.settings();
    assert_eq!(
        agent.image,
        "registry.example.com:5000/team/alter/alter-agent:0.1.0-rc.1"
    );
    assert_eq!((agent.pull_policy, agent.metrics_port), ("Always", 9912));
    assert_eq!(agent.pull_secrets, ["registry", "mirror"]);
    assert_eq!(agent.resources.limits["memory"], "32Mi");
    Ok(())
}

#[test]
fn each_broker_takes_its_part_of_the_budget() -> Result<(), Failure> {
    let objects = render(&configuration("every-value"), &[])?;
    let broker = broker(&objects)?;
    let options = broker.issuer();
    assert_eq!((options.rate, options.burst), (0.625, 2));
    assert_eq!((broker.connections, broker.address.port()), (100, 9_915));
    assert_eq!(options.cluster, "production");
    Ok(())
}

/// One name and one port, in four places.
#[test]
fn pods_find_the_broker_where_it_is() -> Result<(), Failure> {
    let objects = render(&configuration("every-value"), &[])?;
    let line = command_line(&objects, "alter-webhook")?;
    let url = "--broker-url=https://alter-broker.alter-system.svc:9915";
    assert!(line.iter().any(|own| own == url), "{line:?}");
    assert_eq!(operator(&objects)?.broker_service, "alter-broker");
    let service = find(&objects, "Service", "alter-broker").ok_or("no Service")?;
    assert_eq!(service["spec"]["ports"][0]["port"], 9_915);
    let without = render(&configuration("default"), &[])?;
    assert!(find(&without, "Service", "alter-broker").is_none());
    assert_eq!(operator(&without)?.broker_service, "");
    Ok(())
}

/// Helm reads numbers as floats, and would write this one as 2e+06.
#[test]
fn numbers_stay_numbers() -> Result<(), Failure> {
    let values = [
        "--set-json",
        r#"operator.sts={"rate": 3000000, "burst": 2000000}"#,
    ];
    let operator = operator(&render(&configuration("default"), &values)?)?;
    assert_eq!(
        (operator.sts_rate, operator.sts_burst),
        (3_000_000.0, 2_000_000)
    );
    Ok(())
}

/// Every flag of the programs.
#[test]
fn leave_out_no_flag_by_accident() -> Result<(), Failure> {
    let objects = render(&configuration("every-value"), &[])?;
    for (name, command) in [
        ("alter-operator", Operator::command()),
        ("alter-webhook", Webhook::command()),
        ("alter-broker", Broker::command()),
    ] {
        let given = command_line(&objects, name)?;
        let known = command
            .get_arguments()
            .filter_map(|argument| argument.get_long());
        let missing: Vec<_> = known
            .filter(|flag| {
                !given
                    .iter()
                    .any(|word| word.starts_with(&format!("--{flag}=")))
            })
            .collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
    Ok(())
}
