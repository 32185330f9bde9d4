//! Simulated agents: what each says over the wire is what the agent says.

use crate::{
    Failure,
    http::{self, Connection},
};
use alter_protocol::broker::{Answer, Asked, News, PATH, Question, Told};
use futures::future::join_all;
use rustls_pki_types::ServerName;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// No agent waits longer than this.
const PATIENCE: Duration = Duration::from_mins(2);
/// Before an agent asks again that got no answer.
const PAUSE: Duration = Duration::from_secs(1);

type Stream = Connection<TlsStream<TcpStream>>;

/// All of them.
pub(super) struct Crowd {
    pub(super) address: SocketAddr,
    pub(super) tls: TlsConnector,
    /// One of each agent's pod.
    pub(super) tokens: Vec<String>,
}

/// What became of them.
pub(super) struct Outcome {
    /// Of the waits of those that have a session.
    pub(super) median: Duration,
    /// That have none.
    pub(super) failed: u64,
    /// Questions that got no session, and were asked again.
    pub(super) put_off: u64,
}

/// What became of one.
struct One {
    wait: Option<Duration>,
    put_off: u64,
}

impl Crowd {
    /// All agents ask for the grant at once. Those that have a session hold their next question in tasks of their
    /// own, as agents do.
    pub(super) async fn ask(&self, grant: &str) -> Result<Outcome, Failure> {
        let all = join_all(self.tokens.iter().map(|token| self.one(token, grant))).await;
        let mut waits: Vec<_> = all.iter().filter_map(|one| one.wait).collect();
        waits.sort();
        let median = waits.get(waits.len() / 2).copied();
        Ok(Outcome {
            median: median.ok_or("no agent got a session")?,
            failed: u64::try_from(all.len() - waits.len())?,
            put_off: all.iter().map(|one| one.put_off).sum(),
        })
    }

    async fn one(&self, token: &str, grant: &str) -> One {
        let begin = Instant::now();
        let (mut put_off, mut known) = (0, None::<Told>);
        while begin.elapsed() < PATIENCE {
            let request = question(token, grant, known.as_ref());
            let Ok((stream, answer)) = self.exchange(&request).await else {
                put_off += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            match answer.grants.into_iter().next() {
                Some(told) if matches!(told.news, News::Session(_)) => {
                    hold(stream, question(token, grant, Some(&told)));
                    let wait = Some(begin.elapsed());
                    return One { wait, put_off };
                }
                told => {
                    put_off += 1;
                    known = told.or(known);
                }
            }
        }
        One {
            wait: None,
            put_off,
        }
    }

    async fn exchange(&self, request: &[u8]) -> Result<(Stream, Answer), Failure> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let mut connection = Connection::new(self.tls.connect(name, stream).await?);
        let answer = connection.exchange(request).await?;
        if answer.status != 200 {
            return Err(format!("status {}", answer.status).into());
        }
        let answer = Answer::from_json(answer.body)?;
        Ok((connection, answer))
    }
}

/// Ends with its connection, or with the run.
fn hold(mut connection: Stream, request: Vec<u8>) {
    tokio::spawn(async move { while connection.exchange(&request).await.is_ok() {} });
}

fn question(token: &str, grant: &str, known: Option<&Told>) -> Vec<u8> {
    let question = Question {
        grants: vec![Asked {
            grant: grant.to_owned(),
            known: known.map(|told| told.tag.clone()),
        }],
    };
    // A struct of strings: writing it has no way to fail.
    let body = serde_json::to_vec(&question).unwrap_or_default();
    let token = format!("Authorization: Bearer {token}");
    let headers = ["Host: localhost", &token, "Content-Type: application/json"];
    http::request("POST", PATH, &headers, &body)
}
