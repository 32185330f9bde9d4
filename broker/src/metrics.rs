//! How many questions were answered, and how.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
    reason: String,
}

/// The broker's metrics.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    news: Family<Labels, Counter>,
    held: Gauge,
    connections_full: Counter,
    /// Sessions at hand, or asked for of late.
    pub sessions: Gauge,
}

/// A question that is held, until it is dropped.
#[derive(Debug)]
pub struct Held<'m>(&'m Gauge);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Adds the metrics to a registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "answers",
            "What pods were told of their grants, by outcome and, where there is one, the reason",
            metrics.news.clone(),
        );
        registry.register(
            "questions_held",
            "Questions that wait for news",
            metrics.held.clone(),
        );
        registry.register(
            "connections_full",
            "Times that a connection waited because all places were taken, so that idle ones were closed",
            metrics.connections_full.clone(),
        );
        registry.register(
            "sessions",
            "Sessions at hand, or asked for of late",
            metrics.sessions.clone(),
        );
        metrics
    }

    /// Counts a connection that finds no place.
    pub fn connections_full(&self) {
        self.connections_full.inc();
    }

    /// A question is held.
    #[must_use]
    pub fn hold(&self) -> Held<'_> {
        self.held.inc();
        Held(&self.held)
    }

    /// Counts what was told of a grant, or why nothing was.
    pub fn told(&self, outcome: &'static str, reason: &str) {
        let labels = Labels {
            outcome,
            reason: reason.to_owned(),
        };
        self.news.get_or_create(&labels).inc();
    }
}
