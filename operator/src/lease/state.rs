//! Who may hold the Lease: decided over what was seen of it, and when.

use std::time::Duration;

/// How long a Lease holds after a renewal.
pub(crate) const DURATION: Duration = Duration::from_secs(15);
/// A leader starts nothing once its last renewal is older than this…
pub(crate) const START_WITHIN: Duration = Duration::from_secs(10);
/// … and gives up what it had started at this age, before the Lease is another's to take.
pub(crate) const FINISH_WITHIN: Duration = Duration::from_secs(14);

/// The Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Who holds it; empty once released.
    pub holder: String,
    /// How long it holds after its last change.
    pub duration: Duration,
    /// Changes with every write.
    pub version: String,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no Lease: make it.
    Create,
    /// It is one's own: renew it.
    Renew,
    /// It is free: take it.
    Take,
    /// It is another's.
    Wait,
}

/// One who would lead.
///
/// Whether another's Lease has lapsed is measured on the own clock, from when its last change was seen:
/// the time that the holder wrote is of the holder's clock.
#[derive(Debug)]
pub(crate) struct Candidate {
    name: String,
    seen: Option<(String, Duration)>,
}

impl Candidate {
    /// `name` is unique among the candidates.
    pub(crate) fn new(name: String) -> Self {
        Self { name, seen: None }
    }

    /// What to do about the Lease as it is at `now`, a time on a clock that never goes back.
    pub(crate) fn decide(&mut self, record: Option<&Record>, now: Duration) -> Step {
        let Some(record) = record else {
            self.seen = None;
            return Step::Create;
        };
        if record.holder == self.name {
            self.seen = None;
            return Step::Renew;
        }
        if record.holder.is_empty() {
            return Step::Take;
        }
        match &self.seen {
            Some((version, since)) if *version == record.version => {
                if now.saturating_sub(*since) > record.duration.max(DURATION) {
                    Step::Take
                } else {
                    Step::Wait
                }
            }
            _ => {
                self.seen = Some((record.version.clone(), now));
                Step::Wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An API server with one Lease, and two candidates that reach it or do not.
    #[derive(Default)]
    struct Server {
        record: Option<Record>,
        writes: u32,
    }

    impl Server {
        /// One round of a candidate; whether it holds the Lease after it.
        fn round(&mut self, candidate: &mut Candidate, now: Duration) -> bool {
            let step = candidate.decide(self.record.as_ref(), now);
            if step == Step::Wait {
                return false;
            }
            self.writes += 1;
            self.record = Some(Record {
                holder: candidate.name.clone(),
                duration: DURATION,
                version: self.writes.to_string(),
            });
            true
        }
    }

    fn pair() -> (Candidate, Candidate) {
        (
            Candidate::new("a".to_owned()),
            Candidate::new("b".to_owned()),
        )
    }

    #[test]
    fn the_first_comes_leads_and_renews() {
        let (mut a, mut b) = pair();
        let mut server = Server::default();
        assert!(server.round(&mut a, s(0)));
        for second in 1..120 {
            assert!(!server.round(&mut b, s(second)));
            assert!(server.round(&mut a, s(second)));
        }
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let (mut a, mut b) = pair();
        let mut server = Server::default();
        assert!(server.round(&mut a, s(0)));
        server.record.as_mut().unwrap().holder.clear();
        assert!(server.round(&mut b, s(1)));
        assert!(!server.round(&mut a, s(2)));
    }

    #[test]
    fn the_same_name_leads_on_after_a_restart() {
        let (mut a, _) = pair();
        let mut server = Server::default();
        assert!(server.round(&mut a, s(0)));
        assert!(server.round(&mut Candidate::new("a".to_owned()), s(1)));
    }

    #[test]
    fn in_a_partition_the_old_leader_is_silent_before_the_new_one_writes() {
        // The candidate looks once a second, and each pause between looks is a different part of it.
        for offset in 0..1_000 {
            let (mut a, mut b) = pair();
            let mut server = Server::default();
            let renewed = s(20);
            assert!(server.round(&mut a, renewed));
            let mut now = renewed + Duration::from_millis(offset);
            while !server.round(&mut b, now) {
                now += s(1);
            }
            assert!(now > renewed + FINISH_WITHIN, "b leads at {now:?}");
            assert!(now <= renewed + DURATION + s(2), "b leads at {now:?}");
            assert!(!server.round(&mut a, now), "a comes back and finds another");
        }
        assert!(START_WITHIN < FINISH_WITHIN && FINISH_WITHIN < DURATION);
    }

    #[test]
    fn a_renewal_of_the_other_starts_the_wait_anew() {
        let (mut a, mut b) = pair();
        let mut server = Server::default();
        assert!(server.round(&mut a, s(0)));
        assert!(!server.round(&mut b, s(1)));
        assert!(server.round(&mut a, s(15)));
        assert!(!server.round(&mut b, s(17)), "the change is news");
        assert!(!server.round(&mut b, s(32)));
        assert!(server.round(&mut b, s(33)));
    }

    #[test]
    fn a_holder_that_promised_longer_is_waited_for() {
        let (_, mut b) = pair();
        let record = Record {
            holder: "a".to_owned(),
            duration: s(60),
            version: "1".to_owned(),
        };
        assert_eq!(b.decide(Some(&record), s(0)), Step::Wait);
        assert_eq!(b.decide(Some(&record), s(60)), Step::Wait);
        assert_eq!(b.decide(Some(&record), s(61)), Step::Take);
    }
}
