//! The fence around every write: it opens with a renewal of the Lease, and closes by itself.

use super::state::{FINISH_WITHIN, START_WITHIN};
use crate::clock;
use jiff::{SignedDuration, Timestamp};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Why a call was not made, or given up on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fenced {
    /// Not the leader, or no longer.
    #[error("this replica does not lead: the one that does will write")]
    NotLeading,
    /// Leads still, so that no other will do it.
    #[error("the API server did not answer in time; Alter asks again by itself")]
    TooSlow,
}

/// Whether this process may write. Clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    renewed: Arc<Mutex<Option<Renewed>>>,
    leading: watch::Sender<bool>,
}

/// When the last successful renewal was begun, on both clocks: the monotonic one stands still while a
/// machine sleeps, the wall clock may be set back.
#[derive(Clone, Copy, Debug)]
struct Renewed {
    monotonic: Instant,
    wall: Timestamp,
}

impl Renewed {
    fn age(self, monotonic: Instant, wall: Timestamp) -> Duration {
        let slept = wall.duration_since(self.wall).max(SignedDuration::ZERO);
        let slept = Duration::try_from(slept).unwrap_or(Duration::MAX);
        monotonic.duration_since(self.monotonic).max(slept)
    }
}

impl Fence {
    /// Closed.
    pub(crate) fn new() -> Self {
        Self {
            renewed: Arc::default(),
            leading: watch::Sender::new(false),
        }
    }

    /// The Lease was renewed by a call that was begun then.
    ///
    /// One that had closed by itself tells that it opens, as at first: what came while it was closed was left.
    pub(crate) fn open(&self, monotonic: Instant, wall: Timestamp) {
        let had_closed = !self.is_open();
        *self.lock() = Some(Renewed { monotonic, wall });
        self.leading
            .send_if_modified(|leading| !std::mem::replace(leading, true) || had_closed);
    }

    /// The Lease is another's, or was given back.
    pub(crate) fn close(&self) {
        *self.lock() = None;
        self.leading
            .send_if_modified(|leading| std::mem::replace(leading, false));
    }

    /// Whether something may be begun now.
    pub(crate) fn is_open(&self) -> bool {
        self.left().is_some()
    }

    /// Runs a call that changes something, if this process leads, and gives up on it before another may
    /// lead.
    pub(crate) async fn run<F: Future>(&self, call: F) -> Result<F::Output, Fenced> {
        let left = self.left().ok_or(Fenced::NotLeading)?;
        let answer = tokio::time::timeout(left, call).await;
        answer.map_err(|_| {
            if self.is_open() {
                Fenced::TooSlow
            } else {
                Fenced::NotLeading
            }
        })
    }

    /// Tells when leadership changes. The fence itself is what counts.
    pub(crate) fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    /// How long a call that is begun now may take.
    fn left(&self) -> Option<Duration> {
        let age = (*self.lock())?.age(Instant::now(), clock::now());
        (age < START_WITHIN).then(|| FINISH_WITHIN.saturating_sub(age))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Renewed>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::clock::now as wall;

    #[tokio::test(start_paused = true)]
    async fn closes_by_itself_when_renewals_stop() {
        let fence = Fence::new();
        assert_eq!(fence.run(async {}).await, Err(Fenced::NotLeading));
        fence.open(Instant::now(), wall());
        assert_eq!(fence.run(async { 1 }).await, Ok(1));
        tokio::time::advance(START_WITHIN).await;
        assert!(!fence.is_open());
        assert_eq!(fence.run(async {}).await, Err(Fenced::NotLeading));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_given_up_before_another_may_lead() {
        let fence = Fence::new();
        let renewed = Instant::now();
        fence.open(renewed, wall());
        tokio::time::advance(START_WITHIN.saturating_sub(Duration::from_secs(1))).await;
        assert_eq!(
            fence.run(std::future::pending::<()>()).await,
            Err(Fenced::NotLeading)
        );
        assert!(renewed.elapsed() < super::super::state::DURATION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_while_the_lease_is_renewed_is_this_replicas_to_make_again() {
        let fence = Fence::new();
        fence.open(Instant::now(), wall());
        let renewals = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                fence.open(Instant::now(), wall());
            }
        };
        tokio::select! {
            answer = fence.run(std::future::pending::<()>()) => assert_eq!(answer, Err(Fenced::TooSlow)),
            () = renewals => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_finds_the_fence_closed() {
        let fence = Fence::new();
        let slept = SignedDuration::try_from(START_WITHIN).unwrap();
        fence.open(Instant::now(), wall() - slept);
        assert!(!fence.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_closed_by_itself_tells_that_it_opens_again() {
        let fence = Fence::new();
        fence.open(Instant::now(), wall());
        let mut leading = fence.leading();
        tokio::time::advance(START_WITHIN).await;
        assert!(!fence.is_open() && !leading.has_changed().unwrap());
        fence.open(Instant::now(), wall());
        assert!(leading.has_changed().unwrap() && *leading.borrow_and_update());
    }

    #[tokio::test]
    async fn tells_of_changes_once() {
        let fence = Fence::new();
        let mut leading = fence.leading();
        fence.open(Instant::now(), wall());
        assert!(leading.has_changed().unwrap() && *leading.borrow_and_update());
        fence.open(Instant::now(), wall());
        assert!(!leading.has_changed().unwrap());
        fence.close();
        assert!(leading.has_changed().unwrap() && !*leading.borrow_and_update());
        assert!(!fence.is_open());
    }
}
