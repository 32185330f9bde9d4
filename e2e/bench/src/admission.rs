//! Admission of annotated pods over TLS, and the webhook's memory.

use crate::{
    Failure,
    api_server::ApiServer,
    compare::{CONNECTIONS, Server, compare},
    floor,
    http::{self, Connection},
    load::{Question, Target},
    machine, population,
    program::Program,
    report::{Figure, Row, Section},
    run::Setup,
    tls::Authority,
};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Grants in the webhook's cache, each of which gets a pod.
const GRANTS: u32 = 300;
/// A pod as a Deployment makes it and the API server shows it to a webhook.
const POD: &str = include_str!("admission/pod.json");

/// Measures.
pub(crate) async fn measure(setup: &Setup) -> Result<Section, Failure> {
    let load = machine::load().await?;
    let server = ApiServer::start(setup).await?;
    // The webhook asks nobody: any address will do.
    population::create_identity(&server, crate::loopback::free_address()?).await?;
    population::create_grants(&server, "bench", GRANTS).await?;
    let authority = Authority::new()?;
    let certificate = server.folder().join("webhook");
    authority.issue(&certificate)?;
    let tls = authority.connector()?;
    let (program, address) = start_webhook(setup, &server, &certificate).await?;
    let idle = program.memory()?.resident;

    let reviews =
        population::grants("bench", GRANTS).map(|(namespace, grant)| review(&namespace, &grant));
    let reviews: Vec<_> = reviews.collect::<Result<_, _>>()?;
    let asked = reviews[0].len();
    let (questions, body) = ask_once(address, &tls, reviews).await?;
    let answered = body.len();
    let cores = std::thread::available_parallelism()?.get();
    let floor = floor::start(&body, Some(&certificate), cores, server.folder()).await?;
    let target = |address| Target {
        address,
        tls: Some(tls.clone()),
        requests: questions.clone(),
    };
    let (webhook_target, floor_target) = (target(address), target(floor.address));
    let webhook = Server {
        program: &program,
        target: &webhook_target,
    };
    let floor = Server {
        program: &floor.program,
        target: &floor_target,
    };

    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let [rate, median, p99, cpu] = compare(&webhook, &floor, connections)
            .await?
            .rows(connections);
        rows.extend(if connections == 1 {
            [rate, median, p99, cpu]
        } else {
            [
                rate.at_least(Figure::Rate(20_000.0)),
                median,
                p99.at_most(Figure::Time(Duration::from_millis(5))),
                cpu,
            ]
        });
    }
    let floor_peak = Figure::Bytes(floor.program.memory()?.peak);
    let peak = Figure::Bytes(program.memory()?.peak);
    rows.push(Row::new("webhook, idle RSS", Figure::Bytes(idle)));
    rows.push(
        Row::new("webhook, most RSS under load", peak)
            .floor(floor_peak)
            .at_most(Figure::Bytes(20_000_000)),
    );
    Ok(Section {
        title: "Admission of an annotated pod",
        method: format!(
            "`alter-webhook` against etcd and kube-apiserver with {GRANTS} grants, and beside it as many \
             reviews (CREATE of a pod of two containers, {asked} bytes with its headers), sent in turn over \
             TLS connections that stay open. An answer has about {answered} bytes. The floor is hyper and \
             rustls alone on the same multi-threaded runtime; it reads the review and answers constant bytes."
        ),
        load,
        rows,
    })
}

async fn start_webhook(
    setup: &Setup,
    server: &ApiServer,
    certificate: &Path,
) -> Result<(Program, SocketAddr), Failure> {
    let (address, health) = (
        crate::loopback::free_address()?,
        crate::loopback::free_address()?,
    );
    let mut command = Command::new(setup.program("alter-webhook"));
    command
        .env("KUBECONFIG", &server.kubeconfig)
        .args([
            "--address",
            &address.to_string(),
            "--health-address",
            &health.to_string(),
        ])
        .arg("--certificate-dir")
        .arg(certificate)
        .args([
            "--agent-image",
            "registry.example.com/alter/alter-agent:0.1.0",
        ]);
    let mut program = Program::start("alter-webhook", &mut command, server.folder())?;
    program
        .ready(async || crate::loopback::is_ready(health).await)
        .await?;
    Ok((program, address))
}

/// Each review's answer must be a patch. Gives the questions, and the first answer.
async fn ask_once(
    address: SocketAddr,
    tls: &TlsConnector,
    reviews: Vec<Vec<u8>>,
) -> Result<(Arc<[Question]>, Vec<u8>), Failure> {
    let stream = TcpStream::connect(address).await?;
    let stream = tls
        .connect(ServerName::IpAddress(address.ip().into()), stream)
        .await?;
    let mut connection = Connection::new(stream);
    let (mut questions, mut first) = (Vec::new(), None);
    for review in reviews {
        let answer = connection.exchange(&review).await?;
        let verdict: Value = serde_json::from_slice(answer.body)?;
        if !verdict["response"]["patch"].is_string() {
            return Err(format!("the webhook answered {}: {verdict}", answer.status).into());
        }
        questions.push(Question {
            answer_length: answer.body.len(),
            request: review.into(),
        });
        first.get_or_insert_with(|| answer.body.to_vec());
    }
    Ok((questions.into(), first.unwrap_or_default()))
}

/// A whole request with the review of a pod that asks for `grant`.
fn review(namespace: &str, grant: &str) -> Result<Vec<u8>, Failure> {
    let mut pod: Value = serde_json::from_str(POD)?;
    pod["metadata"]["namespace"] = namespace.into();
    pod["metadata"]["annotations"][alter_crds::names::pod::GRANT] = grant.into();
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "uid": "9b3bb0a4-9ff7-4c4a-8a4a-1f5fb1f0c2a1",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
            },
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    });
    let headers = [
        "Host: alter-webhook.alter-system.svc:443",
        "User-Agent: kube-apiserver-admission",
        "Accept: application/json, */*",
        "Content-Type: application/json",
    ];
    let body = serde_json::to_vec(&review)?;
    Ok(http::request(
        "POST",
        "/mutate-pods?timeout=10s",
        &headers,
        &body,
    ))
}
