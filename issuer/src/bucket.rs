//! The budget of calls: a token bucket that makes callers wait. Lanes take turns, so that however many wait in
//! one, the first of any other is soon served; within a lane, callers are served in the order in which they came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};

/// The lane of what is the identity's own, and serves all of its grants.
pub(crate) const OWN: &str = "";
/// The lane of revocations. No namespace has such a name.
pub(crate) const REVOCATIONS: &str = "/";

/// Fills with `rate` tokens a second up to `burst`, and is full at first.
pub(crate) struct Bucket {
    rate: f64,
    burst: f64,
    // The first of each lane queues for the lock, which is fair; who holds it waits for its token.
    level: Mutex<Level>,
    // Those that somebody waits in. Each one's callers queue for its lock.
    lanes: StdMutex<HashMap<String, Weak<Mutex<()>>>>,
}

#[derive(Clone, Copy)]
struct Level {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: f64, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Self {
            rate,
            burst,
            level: Mutex::new(Level {
                tokens: burst,
                at: Instant::now(),
            }),
            lanes: StdMutex::default(),
        }
    }

    /// Takes one token, as soon as it is this caller's turn and there is one. A caller that gives up takes none.
    pub(crate) async fn take(&self, lane: &str) {
        let lane = self.lane(lane);
        let _first = lane.lock().await;
        let mut level = self.level.lock().await;
        loop {
            let filled = self.filled(*level, Instant::now());
            if filled.tokens >= 1.0 {
                *level = Level {
                    tokens: filled.tokens - 1.0,
                    ..filled
                };
                return;
            }
            tokio::time::sleep(self.wait(filled)).await;
        }
    }

    fn lane(&self, name: &str) -> Arc<Mutex<()>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(name).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::<Mutex<()>>::default();
        lanes.insert(name.to_owned(), Arc::downgrade(&lane));
        lane
    }

    fn filled(&self, level: Level, now: Instant) -> Level {
        let gained = (now - level.at).as_secs_f64() * self.rate;
        Level {
            tokens: (level.tokens + gained).min(self.burst),
            at: now,
        }
    }

    /// How long until there is a token; without end where the rate is none.
    fn wait(&self, level: Level) -> Duration {
        let seconds = (1.0 - level.tokens) / self.rate;
        // Never too short to pass the next look, however the fractions fall.
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(Duration::MAX)
            .max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_the_rate_holds() {
        let bucket = Bucket::new(10.0, 5);
        let start = Instant::now();
        for _ in 0..5 {
            bucket.take("a").await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            bucket.take("a").await;
        }
        let rounded = start.elapsed().as_millis();
        assert!((2000..2030).contains(&rounded), "{rounded} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_fills_up_to_the_burst() {
        let bucket = Bucket::new(10.0, 3);
        for _ in 0..3 {
            bucket.take("a").await;
        }
        tokio::time::advance(Duration::from_mins(1)).await;
        let start = Instant::now();
        for _ in 0..3 {
            bucket.take("a").await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        bucket.take("a").await;
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_come_out_in_the_order_in_which_they_came() {
        let bucket = Arc::new(Bucket::new(1.0, 1));
        let order = Arc::<StdMutex<Vec<u32>>>::default();
        let waiters = (0..5).map(|number| {
            let (bucket, order) = (bucket.clone(), order.clone());
            async move {
                bucket.take("a").await;
                order.lock().unwrap().push(number);
            }
        });
        futures::future::join_all(waiters).await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_wait_in_one_lane_the_others_have_their_turns() {
        let bucket = Arc::new(Bucket::new(1.0, 1));
        bucket.take("a").await;
        let order = Arc::<StdMutex<Vec<&str>>>::default();
        let lanes = std::iter::repeat_n("a", 100).chain(["b", "c", "b"]);
        let waiters = lanes.map(|lane| {
            let (bucket, order) = (bucket.clone(), order.clone());
            async move {
                bucket.take(lane).await;
                order.lock().unwrap().push(lane);
            }
        });
        futures::future::join_all(waiters).await;
        assert_eq!(order.lock().unwrap()[..6], ["a", "b", "c", "a", "b", "a"]);
        bucket.take("d").await;
        assert_eq!(
            bucket.lanes.lock().unwrap().len(),
            1,
            "the others are forgotten"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_takes_no_token() {
        let bucket = Bucket::new(1.0, 1);
        bucket.take("a").await;
        let start = Instant::now();
        for _ in 0..3 {
            tokio::time::timeout(Duration::from_millis(100), bucket.take("a"))
                .await
                .unwrap_err();
        }
        bucket.take("a").await;
        assert!(start.elapsed() < Duration::from_millis(1100));
    }
}
