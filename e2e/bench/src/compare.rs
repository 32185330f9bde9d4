//! A server and its floor, under the same load in turn.

use crate::{
    Failure,
    load::{self, Sample, Target},
    program::Program,
    report::{Figure, Row},
};
use std::time::Duration;

/// How often server and floor take turns, so that what else happens on the machine falls on both.
pub(crate) const ROUNDS: usize = 3;
/// The numbers of connections that servers are driven with.
pub(crate) const CONNECTIONS: [usize; 2] = [1, 32];

/// A server under load.
pub(crate) struct Server<'a> {
    /// Its process.
    pub(crate) program: &'a Program,
    /// How to ask it.
    pub(crate) target: &'a Target,
}

/// What a server and its floor did under the same load.
pub(crate) struct Comparison {
    /// The server.
    pub(crate) server: Measured,
    /// Its floor.
    pub(crate) floor: Measured,
}

/// What one of them did, in all rounds.
pub(crate) struct Measured {
    /// Answers and latencies.
    pub(crate) sample: Sample,
    /// Time that the process used of the processors.
    pub(crate) cpu: Duration,
}

/// Drives both with `connections` connections.
pub(crate) async fn compare(
    server: &Server<'_>,
    floor: &Server<'_>,
    connections: usize,
) -> Result<Comparison, Failure> {
    let mut comparison = Comparison {
        server: Measured::nothing()?,
        floor: Measured::nothing()?,
    };
    for _ in 0..ROUNDS {
        comparison.floor.round(floor, connections).await?;
        comparison.server.round(server, connections).await?;
    }
    Ok(comparison)
}

impl Measured {
    fn nothing() -> Result<Self, Failure> {
        Ok(Self {
            sample: Sample::new()?,
            cpu: Duration::ZERO,
        })
    }

    async fn round(&mut self, server: &Server<'_>, connections: usize) -> Result<(), Failure> {
        let before = server.program.cpu()?;
        let sample = load::round(server.target, connections).await?;
        self.sample.add(&sample)?;
        self.cpu += server.program.cpu()?.saturating_sub(before);
        Ok(())
    }

    fn rate(&self) -> Figure {
        Figure::Rate(self.sample.rate())
    }

    fn latency(&self, quantile: f64) -> Figure {
        Figure::Time(self.sample.latency(quantile))
    }

    fn cpu_per_answer(&self) -> Figure {
        Figure::Time(self.sample.per_answer(self.cpu))
    }
}

impl Comparison {
    /// Rate, median, 99th percentile and processor time, in this order.
    pub(crate) fn rows(&self, connections: usize) -> [Row; 4] {
        let name = |what: &str| match connections {
            1 => format!("{what}, 1 connection"),
            _ => format!("{what}, {connections} connections"),
        };
        let (server, floor) = (&self.server, &self.floor);
        [
            Row::new(name("answers"), server.rate()).floor(floor.rate()),
            Row::new(name("median latency"), server.latency(0.5)).floor(floor.latency(0.5)),
            Row::new(name("p99 latency"), server.latency(0.99)).floor(floor.latency(0.99)),
            Row::new(
                name("the server's processor time per answer"),
                server.cpu_per_answer(),
            )
            .floor(floor.cpu_per_answer()),
        ]
    }
}
