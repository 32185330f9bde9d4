//! The operator with many grants, against a real API server and an STS that answers at once.

mod floor;
mod observer;
mod report;

use crate::{
    Failure,
    api_server::{ApiServer, SYSTEM_NAMESPACE},
    loopback, machine, population,
    program::{Memory, Program},
    report::Section,
    run::Setup,
    sts::{Counts, Sts},
};
use observer::Observer;
use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

/// Numbers of grants that the operator is measured with.
pub(crate) const SIZES: [u32; 2] = [1_000, 10_000];
/// Reconciles under way at once, the operator's default, and requests of its floor.
const CONCURRENCY: usize = 32;
/// A process that used less than [`QUIET`] of a processor within this time has settled.
const SETTLE_WINDOW: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(40);
/// Nothing measured here takes this long.
const DEADLINE: Duration = Duration::from_mins(10);

/// What the operator did with new grants, and again after a restart.
struct Measured {
    grants: u32,
    /// From the operator's start until every grant was ready.
    first: Phase,
    /// From the operator's second start until it had looked at every grant.
    restart: Phase,
    /// The same writes by a bare client.
    floor: Phase,
}

/// What happened between two moments.
struct Phase {
    took: Duration,
    /// Processor time of the operator, or of the bare client.
    cpu: Duration,
    /// Processor time of kube-apiserver and etcd.
    cluster_cpu: Duration,
    memory: Option<Memory>,
    counts: Counts,
}

/// Measures.
pub(crate) async fn measure(setup: &Setup, grants: u32) -> Result<Section, Failure> {
    let load = machine::load().await?;
    let server = ApiServer::start(setup).await?;
    let sts = Sts::start().await?;
    population::create_identity(&server, sts.address).await?;
    population::create_grants(&server, "bench", grants).await?;
    let observer = Observer::start(server.client.clone());
    observer.seen(grants, DEADLINE).await?;

    let first = first_start(setup, &server, &sts, &observer, grants).await?;
    let restart = restart(setup, &server, &sts, grants).await?;
    let floor = floor::measure(&server, &observer, grants).await?;
    let measured = Measured {
        grants,
        first,
        restart,
        floor,
    };
    Ok(measured.section(load))
}

async fn first_start(
    setup: &Setup,
    server: &ApiServer,
    sts: &Sts,
    observer: &Observer,
    grants: u32,
) -> Result<Phase, Failure> {
    let cluster = cluster_cpu(server)?;
    let begin = Instant::now();
    let (operator, _) = start_operator(setup, server)?;
    observer.ready(grants, DEADLINE).await?;
    let took = begin.elapsed();
    let (cpu, cluster_cpu) = (
        operator.cpu()?,
        cluster_cpu(server)?.saturating_sub(cluster),
    );
    settle(&operator).await?;
    let memory = Some(operator.memory()?);
    operator.end().await?;
    Ok(Phase {
        took,
        cpu,
        cluster_cpu,
        memory,
        counts: sts.take_counts(),
    })
}

async fn restart(
    setup: &Setup,
    server: &ApiServer,
    sts: &Sts,
    grants: u32,
) -> Result<Phase, Failure> {
    let cluster = cluster_cpu(server)?;
    let begin = Instant::now();
    let (mut operator, health) = start_operator(setup, server)?;
    operator
        .ready(async || looks(health).await >= grants)
        .await?;
    let (took, cpu) = (begin.elapsed(), operator.cpu()?);
    let cluster_cpu = cluster_cpu(server)?.saturating_sub(cluster);
    settle(&operator).await?;
    let phase = Phase {
        took,
        cpu,
        cluster_cpu,
        memory: Some(operator.memory()?),
        counts: sts.take_counts(),
    };
    operator.end().await?;
    Ok(phase)
}

/// How often the operator says that it has looked at a grant, as the leader that it is by then.
async fn looks(health: SocketAddr) -> u32 {
    let metrics = loopback::get(health, "/metrics").await.unwrap_or_default();
    count_of_looks(&metrics)
}

fn count_of_looks(metrics: &str) -> u32 {
    let of_grants = metrics
        .lines()
        .filter(|line| line.starts_with("alter_reconciles_total{") && line.contains("AwsGrant"));
    let counts = of_grants.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
    counts.sum()
}

fn start_operator(setup: &Setup, server: &ApiServer) -> Result<(Program, SocketAddr), Failure> {
    let health = loopback::free_address()?;
    let mut command = Command::new(setup.program("alter-operator"));
    command
        .env("KUBECONFIG", &server.kubeconfig)
        .args(["--namespace", SYSTEM_NAMESPACE, "--pod-name", "bench"])
        .args(["--health-address", &health.to_string()])
        .args(["--sts-rate", "1000000", "--sts-burst", "1000000"])
        .args(["--concurrency", &CONCURRENCY.to_string()])
        .args(["--certificates", "external"]);
    let program = Program::start("alter-operator", &mut command, server.folder())?;
    Ok((program, health))
}

/// Waits until the process does next to nothing.
async fn settle(program: &Program) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let before = program.cpu()?;
        tokio::time::sleep(SETTLE_WINDOW).await;
        if program.cpu()?.saturating_sub(before) < QUIET {
            return Ok(());
        }
        if begin.elapsed() > DEADLINE {
            return Err("the operator did not settle".into());
        }
    }
}

fn cluster_cpu(server: &ApiServer) -> Result<Duration, Failure> {
    Ok(server.program.cpu()? + server.etcd.cpu()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_grants_are_counted_whatever_came_of_them() {
        let metrics = "# TYPE alter_reconciles counter\n\
            alter_reconciles_total{kind=\"AwsGrant\",outcome=\"served\"} 998\n\
            alter_reconciles_total{kind=\"AwsGrant\",outcome=\"held\"} 2\n\
            alter_reconciles_total{kind=\"AwsIdentity\",outcome=\"ready\"} 1\n";
        assert_eq!(count_of_looks(metrics), 1_000);
    }
}
