//! Revocations on their way to AWS, which nothing waits for: a look hands one over, and another look finds what came
//! of it.

use super::{line::Line, plan::Attempt};
use crate::{
    clock,
    context::{Context, Sessions},
    failures::Failures,
    grant::allowance::Allowances,
};
use alter_crds::{AwsIdentity, condition::reason, revocation::Order};
use alter_issuer::Retry;
use futures::{FutureExt, Stream, StreamExt, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// So many are told at a time, one of each namespace; each of an identity waits for its budget too.
const AT_ONCE: usize = 8;
/// After one that took longer than this process may lead.
const RETRY: Retry = Retry::Backoff {
    first: Duration::from_secs(1),
    max: Duration::from_mins(1),
};

/// One that AWS is to be told of.
pub(crate) struct Job {
    /// The grant's UID.
    pub uid: String,
    /// By which the grant is looked at again.
    pub name: Arc<str>,
    /// The grant's identity.
    pub identity: AwsIdentity,
    /// What AWS is told.
    pub order: Order,
    /// The time that the grant's annotation says.
    pub cut: Timestamp,
    /// What a failure is remembered by: a change of any of it is tried at once.
    pub tried: String,
}

/// What this process did about revocations, by the grant's UID.
pub(crate) struct Revocations {
    states: Mutex<HashMap<String, State>>,
    failures: Failures,
    allowances: Allowances,
    jobs: mpsc::UnboundedSender<Job>,
}

enum State {
    Underway,
    Done(Timestamp, String),
}

impl Revocations {
    /// `jobs` leads to [`run`]; a grant has as many revocations as it has sessions, with `min_interval` between two
    /// renewals.
    pub(crate) fn new(jobs: mpsc::UnboundedSender<Job>, min_interval: SignedDuration) -> Self {
        Self {
            states: Mutex::default(),
            failures: Failures::default(),
            allowances: Allowances::new(min_interval),
            jobs,
        }
    }

    /// What was done about that time.
    pub(crate) fn attempt(&self, uid: &str, cut: Timestamp, tried: &str) -> Option<Attempt> {
        match self.lock().get(uid) {
            Some(State::Underway) => return Some(Attempt::Underway),
            Some(State::Done(at, message)) if cut <= *at => {
                return Some(Attempt::Done(message.clone()));
            }
            Some(State::Done(..)) | None => {}
        }
        self.failures.of(uid, tried).map(Attempt::Failed)
    }

    /// When AWS may be told of the grant's next one, if that is not now.
    pub(crate) fn next(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        self.allowances.next(uid, now)
    }

    /// Hands one over, unless one of the same grant is under way.
    pub(crate) fn ask(&self, job: Job, now: Timestamp) {
        let before = self.lock().insert(job.uid.clone(), State::Underway);
        if matches!(before, Some(State::Underway)) {
            return;
        }
        // Attempts that are repeated have their backoff.
        if self.failures.of(&job.uid, &job.tried).is_none() {
            self.allowances.take(&job.uid, now);
        }
        // Fails only when the program ends.
        let _ = self.jobs.send(job);
    }

    /// The grant is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
        self.failures.forget(uid);
        self.allowances.forget(uid);
    }

    fn done(&self, job: &Job) {
        // Gone meanwhile, otherwise.
        if let Some(state) = self.lock().get_mut(&job.uid) {
            *state = State::Done(job.cut, job.order.done());
        }
        self.failures.forget(&job.uid);
    }

    fn not_done(&self, job: &Job, failure: Option<(&'static str, String, Retry)>) {
        let was_there = self.lock().remove(&job.uid).is_some();
        if let Some((reason, message, retry)) = failure.filter(|_| was_there) {
            let (failures, now) = (&self.failures, clock::now());
            failures.note(&job.uid, &job.tried, (reason, message), retry, now);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells AWS of them until `shutdown`, and of those that were begun to their end.
pub(crate) async fn run<S: Sessions>(
    context: Arc<Context<S>>,
    jobs: impl Stream<Item = Job> + Send,
    shutdown: CancellationToken,
) {
    let mut jobs = std::pin::pin!(jobs.take_until(shutdown.cancelled_owned()));
    let (mut line, mut underway, mut ends) = (Line::default(), FuturesUnordered::new(), false);
    loop {
        while underway.len() < AT_ONCE
            && let Some((namespace, job)) = line.next()
        {
            underway.push(tell(&context, job).map(move |()| namespace));
        }
        tokio::select! {
            job = jobs.next(), if !ends => {
                if let Some(job) = job {
                    let name = job.name.clone();
                    line.join(namespace_of(&name), job);
                } else {
                    ends = true;
                    line = Line::default();
                }
            }
            Some(namespace) = underway.next() => line.done(&namespace),
            else => return,
        }
    }
}

fn namespace_of(name: &str) -> &str {
    name.split_once('/').map_or("", |(namespace, _)| namespace)
}

/// Tells AWS of one; the grant is looked at again.
pub(crate) async fn tell<S: Sessions>(context: &Context<S>, job: Job) {
    let revocations = &context.revocations;
    let call = context.sessions.revoke(&job.identity, &job.order);
    // Another leader would edit the same policy.
    let outcome = match context.fence.run(call).await {
        Ok(outcome) => outcome.map_err(|error| {
            let message = error.to_string();
            Some((error.category(), message, error.retry()))
        }),
        Err(_) if context.fence.is_open() => {
            let text = "it took too long; Alter asks again by itself".to_owned();
            Err(Some((reason::UNAVAILABLE, text, RETRY)))
        }
        Err(_) => Err(None),
    };
    let (grant, role_arn) = (&job.name, &job.order.role_arn);
    match outcome {
        Ok(()) => {
            tracing::info!(%grant, role_arn, before = %job.cut, "AWS denies the sessions from before");
            context.metrics.revoked_at_aws(reason::DENIED_BY_POLICY);
            revocations.done(&job);
        }
        Err(failure) => {
            if let Some((why, error, _)) = &failure {
                tracing::warn!(%grant, role_arn, reason = why, error, "AWS was not told of a revocation");
                context.metrics.revoked_at_aws(why);
            }
            revocations.not_done(&job, failure);
        }
    }
    context.due.now(job.name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, identity, now};
    use alter_policy::revocation::Denial;

    fn job(cut: Timestamp) -> Job {
        Job {
            uid: "g-1".to_owned(),
            name: "team-a/bedrock".into(),
            identity: identity(),
            order: Order {
                role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
                revocation_role_arn: "arn:aws:iam::111122223333:role/alter-revocation".to_owned(),
                policy_name: "alter-revocations".to_owned(),
                denial: Denial::new([].into(), cut),
            },
            cut,
            tried: cut.to_string(),
        }
    }

    fn failed() -> (&'static str, String, Retry) {
        (reason::THROTTLED, "m".to_owned(), RETRY)
    }

    fn revocations() -> (Revocations, mpsc::UnboundedReceiver<Job>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let minutes = SignedDuration::from_mins(5);
        (Revocations::new(sender, minutes), receiver)
    }

    #[test]
    fn one_of_a_grant_is_under_way_at_a_time_and_what_is_done_holds_for_earlier_times() {
        let (all, mut jobs) = revocations();
        let (first, later) = (at("03:00:00"), at("03:30:00"));
        let attempt = |cut: Timestamp| all.attempt("g-1", cut, &cut.to_string());
        all.ask(job(first), now());
        all.ask(job(later), now());
        let begun = jobs.try_recv().unwrap();
        assert!(jobs.try_recv().is_err(), "the second waits for a look");
        assert_eq!(attempt(later), Some(Attempt::Underway));
        all.done(&begun);
        assert!(matches!(attempt(first), Some(Attempt::Done(_))));
        assert!(matches!(attempt(at("02:00:00")), Some(Attempt::Done(_))));
        assert_eq!(attempt(later), None);
    }

    #[test]
    fn a_failure_is_of_what_was_tried() {
        let (all, _jobs) = revocations();
        let cut = at("03:00:00");
        all.ask(job(cut), now());
        all.not_done(&job(cut), Some(failed()));
        let of = |tried: &str| all.attempt("g-1", cut, tried);
        assert!(matches!(of(&cut.to_string()), Some(Attempt::Failed(_))));
        assert_eq!(of("edited"), None);
        all.ask(job(cut), now());
        all.done(&job(cut));
        all.forget("g-1");
        assert_eq!(of(&cut.to_string()), None);
    }

    #[test]
    fn what_comes_of_a_grant_that_is_gone_is_not_kept() {
        for succeeds in [true, false] {
            let (all, _jobs) = revocations();
            let cut = at("03:00:00");
            all.ask(job(cut), now());
            all.forget("g-1");
            if succeeds {
                all.done(&job(cut));
            } else {
                all.not_done(&job(cut), Some(failed()));
            }
            assert_eq!(all.attempt("g-1", cut, &cut.to_string()), None);
            assert!(all.lock().is_empty());
        }
    }

    #[test]
    fn a_time_that_keeps_changing_uses_the_allowance_up() {
        let (all, _jobs) = revocations();
        let mut asked = 0;
        while all.next("g-1", now()).is_none() {
            asked += 1;
            let cut = now() - SignedDuration::from_secs(asked);
            all.ask(job(cut), now());
            all.done(&job(cut));
        }
        assert_eq!(asked, 10);
        assert_eq!(all.next("g-2", now()), None);
    }
}
