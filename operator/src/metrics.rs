//! What the operator counts.

use crate::{grant::Grants, watch::Identities};
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

/// The kinds, as the metrics' `kind`.
pub(crate) mod kind {
    pub(crate) const GRANT: &str = "AwsGrant";
    pub(crate) const IDENTITY: &str = "AwsIdentity";
}

/// What comes of a look at an object, as the metrics' `outcome`.
pub(crate) mod outcome {
    /// The API server failed it.
    pub(crate) const ERROR: &str = "error";
    /// A grant's session is to be issued.
    pub(crate) const ISSUE: &str = "issue";
    /// A grant's session is served.
    pub(crate) const SERVED: &str = "served";
    /// A grant's session is taken away.
    pub(crate) const TAKEN_AWAY: &str = "taken-away";
    /// A grant's session should be taken away, and is not.
    pub(crate) const NOT_TAKEN_AWAY: &str = "not-taken-away";
    /// A grant is to have a session, and none is to be had.
    pub(crate) const HELD: &str = "held";
    /// A grant's Secret is somebody else's.
    pub(crate) const REFUSED: &str = "refused";
    /// What an identity's status says holds.
    pub(crate) const UNCHANGED: &str = "unchanged";
    /// AWS knows the identity.
    pub(crate) const IDENTIFIED: &str = "identified";
    /// AWS was not asked, or does not know the identity.
    pub(crate) const FAILED: &str = "failed";
}

/// Counters; a clone counts into the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    reconciles: Family<Reconcile, Counter>,
    issued: Counter,
    failures: Family<Reason, Counter>,
    taken_away: Family<Reason, Counter>,
    revoked_at_aws: Family<Reason, Counter>,
    events_left_out: Counter,
    orphaned_pods: Gauge,
    orphans_evicted: Counter,
    leading: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ready {
    ready: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl Metrics {
    /// Under names that begin with the registry's prefix.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "reconciles",
            "Looks at an object, by what came of it",
            self.reconciles.clone(),
        );
        registry.register(
            "sessions_issued",
            "Sessions that were written into Secrets",
            self.issued.clone(),
        );
        registry.register(
            "session_failures",
            "Sessions that were not to be had, or could not be taken away, by reason",
            self.failures.clone(),
        );
        registry.register(
            "sessions_taken_away",
            "Sessions that were taken out of Secrets, by reason",
            self.taken_away.clone(),
        );
        registry.register(
            "revocations_at_aws",
            "Attempts to have AWS deny sessions that are out, by what came of it",
            self.revoked_at_aws.clone(),
        );
        registry.register(
            "events_left_out",
            "Events that were not published, since many came at once",
            self.events_left_out.clone(),
        );
        registry.register(
            "orphaned_pods",
            "Annotated pods that run without an agent, as the leader found last",
            self.orphaned_pods.clone(),
        );
        registry.register(
            "orphaned_pods_evicted",
            "Annotated pods without an agent that were evicted",
            self.orphans_evicted.clone(),
        );
        registry.register("leader", "1 while this replica leads", self.leading.clone());
    }

    pub(crate) fn reconciled(&self, kind: &'static str, outcome: &'static str) {
        self.reconciles
            .get_or_create(&Reconcile { kind, outcome })
            .inc();
    }

    pub(crate) fn issued(&self) {
        self.issued.inc();
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn taken_away(&self, reason: &'static str) {
        self.taken_away.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn revoked_at_aws(&self, reason: &'static str) {
        self.revoked_at_aws.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn event_left_out(&self) {
        self.events_left_out.inc();
    }

    pub(crate) fn orphaned(&self, count: i64) {
        self.orphaned_pods.set(count);
    }

    pub(crate) fn orphan_evicted(&self) {
        self.orphans_evicted.inc();
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }
}

/// Counts the caches when they are asked for, so that nothing has to be kept in step.
pub(crate) struct Caches {
    pub(crate) grants: Grants,
    pub(crate) identities: Identities,
    pub(crate) now: fn() -> Timestamp,
}

impl std::fmt::Debug for Caches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caches").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    ready: i64,
    unready: i64,
    unknown: i64,
    paused: i64,
    bad: i64,
    next_expiration: Option<Timestamp>,
}

impl Caches {
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for object in self.grants.state() {
            if object.is_unreadable() {
                tally.bad += 1;
                continue;
            }
            // Nobody misses it, or its session.
            if object.is_paused {
                tally.paused += 1;
                continue;
            }
            match object.ready {
                Some(true) => tally.ready += 1,
                Some(false) => tally.unready += 1,
                None => tally.unknown += 1,
            }
            let expiration = object.expiration;
            tally.next_expiration = match (tally.next_expiration, expiration) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        tally
    }
}

impl Collector for Caches {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let tally = self.tally();
        let gauge = ConstGauge::new(0_i64).metric_type();
        let mut grants = encoder.encode_descriptor(
            "grants",
            "AwsGrants by the status of their condition Ready, and those that are paused",
            None,
            gauge,
        )?;
        for (ready, count) in [
            ("true", tally.ready),
            ("false", tally.unready),
            ("unknown", tally.unknown),
            ("paused", tally.paused),
        ] {
            let labels = Ready { ready };
            ConstGauge::new(count).encode(grants.encode_family(&labels)?)?;
        }
        let identities = self.identities.state();
        let bad_identities = identities.iter().filter(|object| object.0.is_err()).count();
        let bad_identities = i64::try_from(bad_identities).unwrap_or(i64::MAX);
        let mut bad = encoder.encode_descriptor(
            "undecodable_objects",
            "Objects that cannot be read, by kind",
            None,
            gauge,
        )?;
        for (kind, count) in [(kind::GRANT, tally.bad), (kind::IDENTITY, bad_identities)] {
            let labels = Kind { kind };
            ConstGauge::new(count).encode(bad.encode_family(&labels)?)?;
        }
        if let Some(at) = tally.next_expiration {
            let seconds = at.duration_since((self.now)()).as_secs();
            let next = encoder.encode_descriptor(
                "next_expiration_seconds",
                "Seconds until the first session expires; negative once one has",
                None,
                gauge,
            )?;
            ConstGauge::new(seconds).encode(next)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, grant::kept::Kept};
    use kube::{
        core::DeserializeGuard,
        runtime::{reflector, watcher::Event},
    };
    use prometheus_client::encoding::text::encode;
    use serde_json::json;

    #[test]
    fn the_caches_are_counted_when_asked_for() {
        let (grants, mut writer) = reflector::store();
        let (identities, _) = reflector::store();
        let mut ready = fixtures::grant();
        ready.status = serde_json::from_value(json!({
            "expiration": "2026-11-22T05:00:00Z",
            "conditions": [{"type": "Ready", "status": "True", "reason": "Issued", "message": "",
                            "lastTransitionTime": "2026-11-22T04:00:00Z"}],
        }))
        .unwrap();
        let mut fresh = fixtures::grant();
        fresh.metadata.name = Some("fresh".to_owned());
        let mut paused = fixtures::grant();
        paused.metadata.name = Some("paused".to_owned());
        paused.status = serde_json::from_value(json!({
            "expiration": "2026-11-22T04:01:00Z",
            "conditions": [{"type": "Refreshed", "status": "Unknown", "reason": "Paused", "message": "",
                            "lastTransitionTime": "2026-11-22T04:00:00Z"}],
        }))
        .unwrap();
        let bad = json!({"metadata": {"name": "bad", "namespace": "n"}, "spec": {"roleArn": 7}});
        let bad: Kept = serde_json::from_value(bad).unwrap();
        for object in [
            DeserializeGuard(Ok(ready)).into(),
            DeserializeGuard(Ok(fresh)).into(),
            DeserializeGuard(Ok(paused)).into(),
            bad,
        ] {
            writer.apply_watcher_event(&Event::Apply(object));
        }
        let mut registry = Registry::with_prefix("alter");
        let now = fixtures::now;
        registry.register_collector(Box::new(Caches {
            grants,
            identities,
            now,
        }));
        let metrics = Metrics::default();
        metrics.register(&mut registry);
        metrics.failed("Throttled");
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "alter_grants{ready=\"true\"} 1",
            "alter_grants{ready=\"unknown\"} 1",
            "alter_grants{ready=\"paused\"} 1",
            "alter_undecodable_objects{kind=\"AwsGrant\"} 1",
            "alter_next_expiration_seconds 3600",
            "alter_session_failures_total{reason=\"Throttled\"} 1",
            "alter_leader 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
