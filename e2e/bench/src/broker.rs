//! The broker with a thousand pods that come at once, against a real API server that issues and checks their tokens.

mod agents;
mod pods;

use crate::{
    Failure,
    api_server::{ApiServer, SYSTEM_NAMESPACE},
    loopback, machine, population,
    program::Program,
    report::{Figure, Row, Section},
    run::Setup,
    sts::Sts,
    tls::Authority,
};
use agents::{Crowd, Outcome};
use alter_crds::{AwsGrant, AwsIdentity, condition, names::label};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Pods that come at once.
const PODS: u32 = 1_000;
/// The broker's defaults.
const RATE: u32 = 50;
const BURST: u32 = 100;
const NAMESPACE: &str = "bench";
/// Its sessions name no pod.
const SHARED: &str = "shared";
/// Each of its sessions names its pod.
const OWN: &str = "own";
/// After which what was busy is so no more.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures.
pub(crate) async fn measure(setup: &Setup) -> Result<Section, Failure> {
    let load = machine::load().await?;
    let server = ApiServer::start(setup).await?;
    let sts = Sts::start().await?;
    server.create_namespace(NAMESPACE).await?;
    for (grant, template) in [(SHARED, "{namespace}.{grant}"), (OWN, "{namespace}.{pod}")] {
        create_identity(&server, sts.address, grant, template).await?;
        create_grant(&server, grant).await?;
    }
    let tokens = pods::create(&server, NAMESPACE, PODS).await?;
    let authority = Authority::new()?;
    let certificate = server.folder().join("broker");
    authority.issue(&certificate)?;
    let (program, address) = start_broker(setup, &server, &certificate).await?;
    let idle = program.memory()?.resident;
    let crowd = Crowd {
        address,
        tls: authority.connector()?,
        tokens,
    };

    let mut rows = vec![Row::new("broker, idle RSS", Figure::Bytes(idle))];
    for grant in [SHARED, OWN] {
        let begin = Instant::now();
        let cpu = program.cpu()?;
        let outcome = crowd.ask(grant).await?;
        let took = begin.elapsed();
        let cpu = program.cpu()?.saturating_sub(cpu);
        let calls = sts.take_counts().sessions;
        rows.extend(of_grant(grant, &outcome, took, cpu, calls));
        if grant == OWN {
            // All of them hold their next question, those of the first grant too.
            tokio::time::sleep(SETTLE).await;
            let memory = program.memory()?;
            let held = 2 * u64::from(PODS);
            let each = memory.resident.saturating_sub(idle) / held;
            let what = format!("RSS with {held} questions held");
            rows.push(Row::new(what, Figure::Bytes(memory.resident)));
            rows.push(Row::new("of that, per question", Figure::Bytes(each)));
        }
    }
    program.end().await?;
    Ok(Section {
        title: "Broker, 1,000 pods at once",
        method: format!(
            "`alter-broker` with its defaults ({RATE} calls to STS a second, {BURST} at once) against etcd, kube-apiserver \
             and an STS on loopback that answers at once. {PODS} Pod objects, each with a bound token that the API server has \
             issued; as many simulated agents, each over a TLS connection of its own, ask at the same moment and ask \
             again where they are put off, until they have a session. First for a grant whose sessions name no pod, then for \
             one whose sessions each name theirs."
        ),
        load,
        rows,
    })
}

fn of_grant(grant: &str, outcome: &Outcome, took: Duration, cpu: Duration, calls: u64) -> Vec<Row> {
    // What the bucket lets through in that time, and no more than one for each pod.
    let seconds = took.as_secs() + 1;
    let bound = (u64::from(BURST) + seconds * u64::from(RATE)).min(match grant {
        SHARED => 1,
        _ => u64::from(PODS),
    });
    let row = |what: &str, figure| Row::new(format!("{grant}: {what}"), figure);
    vec![
        row("until all have a session", Figure::Time(took)),
        row("median wait", Figure::Time(outcome.median)),
        row("agents without one", Figure::Count(outcome.failed)).at_most(Figure::Count(0)),
        row("questions put off", Figure::Count(outcome.put_off)),
        row("calls that issue a session", Figure::Count(calls)).at_most(Figure::Count(bound)),
        row(
            "the broker's processor time per agent",
            Figure::Time(cpu / PODS),
        ),
    ]
}

/// An identity that the operator has found ready.
async fn create_identity(
    server: &ApiServer,
    sts: SocketAddr,
    name: &str,
    template: &str,
) -> Result<(), Failure> {
    let secret = format!("{name}-access-key");
    server
        .create_secret(&secret, population::access_key())
        .await?;
    let api: Api<AwsIdentity> = Api::all(server.client.clone());
    let identity = json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsIdentity",
        "metadata": {"name": name, "labels": {label::MANAGED_BY: "alter-bench"}},
        "spec": {
            "region": "us-east-1",
            "endpoints": {"sts": format!("http://{sts}")},
            "credentials": {"accessKey": {"secretRef": {"name": secret}}},
            "session": {"name": template},
            "allow": [{
                "namespaces": {"names": [NAMESPACE]},
                "roleArns": ["arn:aws:iam::111122223333:role/*"],
                "stores": ["Broker"],
            }],
        },
    });
    server.create(&api, identity).await?;
    let status = json!({"status": {
        "observedGeneration": 1,
        "arn": "arn:aws:iam::111122223333:user/alter",
        "conditions": [{
            "type": condition::READY, "status": "True", "reason": condition::reason::IDENTIFIED,
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }});
    let params = PatchParams::default();
    api.patch_status(name, &params, &Patch::Merge(status))
        .await?;
    Ok(())
}

async fn create_grant(server: &ApiServer, name: &str) -> Result<(), Failure> {
    let api: Api<AwsGrant> = Api::namespaced(server.client.clone(), NAMESPACE);
    let grant = json!({
        "apiVersion": "alter.dev/v1alpha1",
        "kind": "AwsGrant",
        "metadata": {"name": name},
        "spec": {
            "identity": name,
            "roleArn": format!("arn:aws:iam::111122223333:role/{name}"),
            "region": "us-east-1",
            "store": "Broker",
        },
    });
    server.create(&api, grant).await
}

async fn start_broker(
    setup: &Setup,
    server: &ApiServer,
    certificate: &Path,
) -> Result<(Program, SocketAddr), Failure> {
    let (address, health) = (loopback::free_address()?, loopback::free_address()?);
    let mut command = Command::new(setup.program("alter-broker"));
    command
        .env("KUBECONFIG", &server.kubeconfig)
        .args(["--address", &address.to_string()])
        .args(["--health-address", &health.to_string()])
        .args(["--namespace", SYSTEM_NAMESPACE])
        .arg("--certificate-dir")
        .arg(certificate);
    let mut program = Program::start("alter-broker", &mut command, server.folder())?;
    program
        .ready(async || loopback::is_ready(health).await)
        .await?;
    Ok((program, address))
}
