//! Closed-loop load: each connection sends its next request when it has the answer to the last.

use crate::{Failure, http::Connection};
use bytes::Bytes;
use hdrhistogram::Histogram;
use rustls_pki_types::ServerName;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

/// How long connections are driven before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a round counts.
const ROUND: Duration = Duration::from_secs(5);

/// A server, and what it is asked.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Set where it speaks TLS.
    pub(crate) tls: Option<TlsConnector>,
    /// Whole requests, which each connection sends in turn.
    pub(crate) requests: Arc<[Question]>,
}

/// A request and the length of the answer's body: one of another length is a failure.
pub(crate) struct Question {
    /// The whole request.
    pub(crate) request: Bytes,
    /// In bytes.
    pub(crate) answer_length: usize,
}

/// What was measured.
pub(crate) struct Sample {
    /// In nanoseconds.
    latencies: Histogram<u64>,
    /// How long it was measured.
    elapsed: Duration,
    /// All answers, those of the warm-up too.
    answers: u64,
}

impl Sample {
    /// Nothing measured yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            // Three digits of latencies up to 10 s.
            latencies: Histogram::new_with_max(10_000_000_000, 3)?,
            elapsed: Duration::ZERO,
            answers: 0,
        })
    }

    /// Adds one latency.
    pub(crate) fn record(&mut self, latency: Duration) -> Result<(), Failure> {
        self.latencies
            .saturating_record(u64::try_from(latency.as_nanos())?);
        self.answers += 1;
        Ok(())
    }

    /// Adds what another one measured.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.latencies.add(&other.latencies)?;
        self.elapsed += other.elapsed;
        self.answers += other.answers;
        Ok(())
    }

    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// How much of `total` went into one answer.
    pub(crate) fn per_answer(&self, total: Duration) -> Duration {
        Duration::from_secs_f64(total.as_secs_f64() / float(self.answers.max(1)))
    }

    /// The latency that `quantile` of the answers stay below.
    pub(crate) fn latency(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_quantile(quantile))
    }
}

/// Drives `connections` connections for one round, after a warm-up on the same connections.
pub(crate) async fn round(target: &Target, connections: usize) -> Result<Sample, Failure> {
    let begin = Instant::now() + WARM_UP;
    let end = begin + ROUND;
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let target = target.clone();
        tasks.spawn(async move {
            let stream = TcpStream::connect(target.address).await?;
            stream.set_nodelay(true)?;
            match &target.tls {
                None => drive(stream, &target.requests, number, begin, end).await,
                Some(tls) => {
                    let name = ServerName::IpAddress(target.address.ip().into());
                    let stream = tls.connect(name, stream).await?;
                    drive(stream, &target.requests, number, begin, end).await
                }
            }
        });
    }
    let mut sample = Sample::new()?;
    while let Some(connection) = tasks.join_next().await {
        sample.add(&connection??)?;
    }
    sample.elapsed = ROUND;
    Ok(sample)
}

async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    requests: &[Question],
    first: usize,
    begin: Instant,
    end: Instant,
) -> Result<Sample, Failure> {
    let mut sample = Sample::new()?;
    let mut connection = Connection::new(stream);
    let mut sent = Instant::now();
    for question in requests.iter().cycle().skip(first) {
        let answer = connection.exchange(&question.request).await?;
        if answer.status != 200 || answer.body.len() != question.answer_length {
            let text = String::from_utf8_lossy(answer.body);
            return Err(format!("under load: status {}: {text}", answer.status).into());
        }
        let answered = Instant::now();
        if answered >= end {
            break;
        }
        if answered >= begin {
            sample.record(answered - sent)?;
        } else {
            sample.answers += 1;
        }
        sent = answered;
    }
    Ok(sample)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 answers")]
fn float(number: u64) -> f64 {
    number as f64
}
