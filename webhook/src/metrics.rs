//! How many reviews were answered, how, and how fast.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::time::Duration;

/// From a tenth of a millisecond to the API server's own deadline.
const BUCKETS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5, 10.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    path: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    path: &'static str,
}

/// The webhook's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    reviews: Family<Labels, Counter>,
    duration: Family<Path, Histogram, fn() -> Histogram>,
    connections_full: Counter,
}

/// What became of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Admitted as it is.
    Allowed,
    /// Admitted with changes.
    Patched,
    /// Denied, for this reason.
    Denied(&'static str),
    /// The question could not be read, or had to wait for too long, for this reason.
    Malformed(&'static str),
}

impl Metrics {
    /// Adds the metrics to a registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reviews: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            connections_full: Counter::default(),
        };
        registry.register(
            "admissions",
            "Admission reviews by path, outcome and, where denied, the reason",
            metrics.reviews.clone(),
        );
        registry.register_with_unit(
            "admission_duration",
            "From a review's turn to its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "connections_full",
            "Times that a connection waited because all places were taken, so that idle ones were closed",
            metrics.connections_full.clone(),
        );
        metrics
    }

    /// Counts a connection that finds no place.
    pub fn connections_full(&self) {
        self.connections_full.inc();
    }

    /// Counts a review.
    pub fn record(&self, path: &'static str, outcome: Outcome, took: Duration) {
        let (outcome, reason) = match outcome {
            Outcome::Allowed => ("allowed", ""),
            Outcome::Patched => ("patched", ""),
            Outcome::Denied(reason) => ("denied", reason),
            Outcome::Malformed(reason) => ("malformed", reason),
        };
        let labels = Labels {
            path,
            outcome,
            reason,
        };
        self.reviews.get_or_create(&labels).inc();
        let path = Path { path };
        self.duration
            .get_or_create(&path)
            .observe(took.as_secs_f64());
    }
}
