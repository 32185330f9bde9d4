//! What the agent counts. No label but grants, of which a pod has few, and fixed words.

use std::sync::atomic::AtomicI64;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use alter_protocol::grant::Delivery;

use crate::state::State;

/// How a request for a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a session.
    Served,
    /// None for now.
    Waiting,
    /// None until someone changes something.
    Refused,
    /// For a grant that the pod does not have.
    Unknown,
    /// Without the right token, or by a foreign name.
    Unauthorized,
    /// Not a request that the agent understands.
    Invalid,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Served,
        Self::Waiting,
        Self::Refused,
        Self::Unknown,
        Self::Unauthorized,
        Self::Invalid,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Unknown => "unknown_grant",
            Self::Unauthorized => "unauthorized",
            Self::Invalid => "invalid",
        }
    }
}

/// The counters of one delivery, at hand without a look-up by label.
pub struct Requests([Counter; Outcome::ALL.len()]);

impl Requests {
    /// Counts one request.
    pub fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].inc();
    }
}

type Labels = [(&'static str, String); 1];

/// All that the agent counts.
pub struct Metrics {
    registry: Registry,
    /// Requests over the socket.
    pub process: Requests,
    /// Requests to the loopback endpoint.
    pub endpoint: Requests,
    /// Requests for instance metadata that were answered with a session, or not at all.
    pub imds: Requests,
    expiration: Family<Labels, Gauge<i64, AtomicI64>>,
    refusals: Family<[(&'static str, String); 2], Counter>,
    /// Questions to the broker that were answered, and that were not.
    broker: [Counter; 2],
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("alter_agent");
        let requests = Family::<[(&'static str, &'static str); 2], Counter>::default();
        let of = |delivery: Delivery| {
            Requests(Outcome::ALL.map(|outcome| {
                requests
                    .get_or_create(&[
                        ("delivery", delivery.as_str()),
                        ("outcome", outcome.as_str()),
                    ])
                    .clone()
            }))
        };
        let (process, endpoint, imds) = (
            of(Delivery::Process),
            of(Delivery::Endpoint),
            of(Delivery::Imds),
        );
        let expiration = Family::<Labels, Gauge<i64, AtomicI64>>::default();
        let refusals = Family::default();
        registry.register(
            "requests",
            "Requests for a session, by how they ended",
            requests,
        );
        registry.register_with_unit(
            "session_expiration_timestamp",
            "When the session that is served expires, since the epoch; 0 while none is served",
            Unit::Seconds,
            expiration.clone(),
        );
        registry.register(
            "refusals",
            "How often a grant came to be refused, by reason",
            refusals.clone(),
        );
        let questions = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let broker = ["answered", "unanswered"]
            .map(|outcome| questions.get_or_create(&[("outcome", outcome)]).clone());
        registry.register(
            "broker_questions",
            "Questions to the broker, by whether they were answered",
            questions,
        );
        Self {
            registry,
            process,
            endpoint,
            imds,
            expiration,
            refusals,
            broker,
        }
    }
}

impl Metrics {
    /// Notes what is held of `grant` from now on.
    pub fn state_changed(&self, grant: &str, state: &State) {
        let labels = [("grant", grant.to_owned())];
        let expiration = match state {
            State::Serving { session, .. } => session.expiration,
            State::Waiting { .. } | State::Refused(_) => Timestamp::UNIX_EPOCH,
        };
        self.expiration
            .get_or_create(&labels)
            .set(expiration.as_second());
        if let State::Refused(refusal) = state {
            let [grant] = labels;
            self.refusals
                .get_or_create(&[grant, ("reason", refusal.category().to_owned())])
                .inc();
        }
    }

    /// Counts a question to the broker.
    pub fn broker_answered(&self, answered: bool) {
        self.broker[usize::from(!answered)].inc();
    }

    /// All of it in the text format of `OpenMetrics`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Ignored: writing to a String has no way to fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Refusal;
    use alter_protocol::Session;

    #[test]
    fn each_outcome_has_its_own_counter() {
        let metrics = Metrics::default();
        for (times, outcome) in Outcome::ALL.into_iter().enumerate() {
            for _ in 0..times {
                metrics.endpoint.count(outcome);
            }
        }
        let text = metrics.render();
        for (times, outcome) in Outcome::ALL.into_iter().enumerate() {
            let line = format!(
                "alter_agent_requests_total{{delivery=\"endpoint\",outcome=\"{}\"}} {times}\n",
                outcome.as_str()
            );
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn states_show_without_secrets() {
        let metrics = Metrics::default();
        let session = Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "s3cr3t".to_owned().into(),
            session_token: "tok3n".to_owned().into(),
            expiration: Timestamp::from_second(1_800_000_000).unwrap(),
        };
        metrics.state_changed(
            "a",
            &State::Serving {
                session,
                region: "us-east-1".to_owned(),
                kept: None,
            },
        );
        metrics.state_changed("b", &State::Refused(Refusal::OtherGrant("c".to_owned())));
        let text = metrics.render();
        for line in [
            "alter_agent_session_expiration_timestamp_seconds{grant=\"a\"} 1800000000\n",
            "alter_agent_session_expiration_timestamp_seconds{grant=\"b\"} 0\n",
            "alter_agent_refusals_total{grant=\"b\",reason=\"other_grant\"} 1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(
            !text.contains("s3cr3t") && !text.contains("tok3n"),
            "{text}"
        );
    }
}
