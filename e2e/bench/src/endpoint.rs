//! The agent's container credentials endpoint on loopback, and the agent's memory.

use crate::{
    Failure,
    agent::{Agent, GRANT},
    compare::{CONNECTIONS, Server, compare},
    floor,
    http::{self, Connection},
    load::{Question, Target},
    machine,
    report::{Figure, Row, Section},
    run::Setup,
};
use alter_protocol::{Delivery, pod};
use std::{fs, sync::Arc, time::Duration};
use tokio::net::TcpStream;

/// Measures.
pub(crate) async fn measure(setup: &Setup) -> Result<Section, Failure> {
    let load = machine::load().await?;
    let agent = Agent::start(setup, Delivery::Endpoint).await?;
    let idle = agent.program.memory()?.resident;

    let token = fs::read_to_string(agent.shared(pod::TOKEN_FILE)?)?;
    let request = http::request(
        "GET",
        &format!("{}{GRANT}", pod::ENDPOINT_PATH),
        &[
            &format!("Host: {}", agent.address),
            "Accept: application/json",
            "User-Agent: Boto3/1.43.106 md/Botocore#1.43.106 ua/2.1 os/linux#6.18 md/arch#x86_64 lang/python#3.11.2",
            &format!("Authorization: {token}"),
        ],
        b"",
    );
    let mut connection = Connection::new(TcpStream::connect(agent.address).await?);
    let answer = connection.exchange(&request).await?;
    if answer.status != 200 {
        return Err(format!("the agent answered {}", answer.status).into());
    }
    let target = |address| Target {
        address,
        tls: None,
        requests: Arc::new([Question {
            request: request.clone().into(),
            answer_length: answer.body.len(),
        }]),
    };
    let floor = floor::start(answer.body, None, 1, agent.folder()).await?;
    let (server, floor_target) = (target(agent.address), target(floor.address));
    let server = Server {
        program: &agent.program,
        target: &server,
    };
    let floor = Server {
        program: &floor.program,
        target: &floor_target,
    };

    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let [rate, median, p99, cpu] = compare(&server, &floor, connections)
            .await?
            .rows(connections);
        rows.extend(if connections == 1 {
            [rate, median, p99, cpu]
        } else {
            [
                rate.at_least(Figure::Rate(100_000.0)),
                median,
                p99.at_most(Figure::Time(Duration::from_micros(1_500))),
                cpu,
            ]
        });
    }
    rows.push(Row::new("agent, idle RSS", Figure::Bytes(idle)).at_most(Figure::Bytes(8_000_000)));
    rows.push(
        Row::new(
            "agent, most RSS under load",
            Figure::Bytes(agent.program.memory()?.peak),
        )
        .floor(Figure::Bytes(floor.program.memory()?.peak)),
    );
    Ok(Section {
        title: "Loopback credentials endpoint",
        method: format!(
            "`alter-agent serve` with the delivery `endpoint` and one grant, asked as boto3 asks, with its \
             token, on connections that stay open. An answer has {} bytes. The floor is hyper alone on the \
             same single-threaded runtime, answering the same bytes to everybody.",
            answer.body.len()
        ),
        load,
        rows,
    })
}
