//! What the operator's figures are called, and which of them have a budget.

use super::{CONCURRENCY, Measured, Phase};
use crate::report::{Figure, Row, Section};
use std::time::Duration;

impl Measured {
    pub(super) fn section(&self, load: String) -> Section {
        let (first, restart, floor) = (&self.first, &self.restart, &self.floor);
        let mut sessions =
            Row::new("sessions into Secrets", self.rate(first)).floor(self.rate(floor));
        let peak = first.memory.map_or(0, |memory| memory.peak);
        let mut peak = Row::new("most RSS", Figure::Bytes(peak));
        if self.grants == 10_000 {
            sessions = sessions.at_least(Figure::Rate(300.0));
            peak = peak.at_most(Figure::Bytes(50_000_000));
        }
        let resident = |phase: &Phase| {
            let resident = phase.memory.map_or(0, |memory| memory.resident);
            Figure::Bytes(resident)
        };
        let rows = vec![
            Row::new("start until all are ready", Figure::Time(first.took))
                .floor(Figure::Time(floor.took)),
            sessions,
            Row::new(
                "the client's processor time per grant",
                self.each(first.cpu),
            )
            .floor(self.each(floor.cpu)),
            Row::new(
                "kube-apiserver's and etcd's processor time per grant",
                self.each(first.cluster_cpu),
            )
            .floor(self.each(floor.cluster_cpu)),
            Row::new(
                "calls that issue a session",
                Figure::Count(first.counts.sessions),
            ),
            Row::new("other calls to STS", Figure::Count(first.other_calls())),
            peak,
            Row::new("RSS, settled", resident(first)),
            Row::new(
                "restart: until nothing is left to do",
                Figure::Time(restart.took),
            ),
            Row::new(
                "restart: calls that issue a session",
                Figure::Count(restart.counts.sessions),
            )
            .at_most(Figure::Count(0)),
            Row::new(
                "restart: other calls to STS",
                Figure::Count(restart.other_calls()),
            ),
            Row::new("restart: RSS, settled", resident(restart)),
        ];
        Section {
            title: match self.grants {
                1_000 => "Operator, 1,000 grants",
                _ => "Operator, 10,000 grants",
            },
            method: format!(
                "`alter-operator` with its defaults ({CONCURRENCY} reconciles at once) but without a limit on \
                 STS calls, against etcd (`--unsafe-no-fsync`), kube-apiserver and an STS on loopback that \
                 answers at once. All grants are there before it starts; time runs from exec until a watch has \
                 seen the last one ready. The floor is a bare client that creates the same Secrets and patches \
                 the same status in, {CONCURRENCY} at once, seen by the same watch. After a restart the operator's \
                 own metrics tell when it has looked at every grant. RSS is settled once the process has used \
                 less than 2 % of a processor for two seconds."
            ),
            load,
            rows,
        }
    }

    fn rate(&self, phase: &Phase) -> Figure {
        Figure::Rate(f64::from(self.grants) / phase.took.as_secs_f64())
    }

    fn each(&self, total: Duration) -> Figure {
        Figure::Time(total / self.grants)
    }
}

impl Phase {
    fn other_calls(&self) -> u64 {
        self.counts.identities + self.counts.refused
    }
}
