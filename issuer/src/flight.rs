//! Single flight: concurrent callers with the same key share one piece of work.

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

type Work<T> = BoxFuture<'static, T>;

/// The work in flight, by key. It lives as long as somebody waits for it.
pub(crate) struct Flights<K, T: Clone>(Mutex<HashMap<K, WeakShared<Work<T>>>>);

impl<K, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone + Send + Sync + 'static> Flights<K, T> {
    /// Joins the work of that key, or begins it. Where every caller gives up, the work ends.
    pub(crate) async fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let work = self.begin(key, begin);
        work.await
    }

    fn begin<F>(&self, key: K, begin: impl FnOnce() -> F) -> Shared<Work<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = flights.get(&key).and_then(WeakShared::upgrade);
        // Done work is nobody's to join: its answer belongs to those who waited.
        if let Some(work) = running.filter(|work| work.peek().is_none()) {
            return work;
        }
        flights.retain(|_, work| work.upgrade().is_some());
        let work = begin().boxed().shared();
        if let Some(weak) = work.downgrade() {
            flights.insert(key, weak);
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use tokio::sync::Semaphore;

    #[derive(Clone, Default)]
    struct Desk {
        flights: Arc<Flights<&'static str, u32>>,
        begun: Arc<AtomicU32>,
    }

    impl Desk {
        async fn ask(&self, key: &'static str, gate: &Arc<Semaphore>) -> u32 {
            let (begun, gate) = (self.begun.clone(), gate.clone());
            let work = || async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                let _permit = gate.acquire().await;
                number
            };
            self.flights.join(key, work).await
        }
    }

    #[tokio::test]
    async fn callers_of_one_key_share_and_others_do_not() {
        let (desk, gate) = (Desk::default(), Arc::new(Semaphore::new(0)));
        let all = async {
            tokio::join!(
                desk.ask("a", &gate),
                desk.ask("a", &gate),
                desk.ask("b", &gate),
                desk.ask("a", &gate),
            )
        };
        let (answers, ()) = tokio::join!(all, async { gate.add_permits(1) });
        assert_eq!(answers, (0, 0, 1, 0));
    }

    #[tokio::test]
    async fn done_work_is_not_joined_though_somebody_still_holds_its_answer() {
        let flights = Flights::<_, u32>::default();
        let done = flights.begin("a", || async { 0 });
        assert_eq!(done.clone().await, 0);
        assert_eq!(flights.join("a", || async { 1 }).await, 1);
        drop(done);
    }

    #[tokio::test]
    async fn what_is_done_is_not_kept() {
        let flights = Flights::<_, u32>::default();
        for key in ["a", "b", "c"] {
            flights.join(key, || async { 0 }).await;
        }
        assert_eq!(flights.0.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn one_caller_that_gives_up_does_not_end_the_work_of_the_others() {
        let (desk, gate) = (Desk::default(), Arc::new(Semaphore::new(0)));
        let mut first = Box::pin(desk.ask("a", &gate));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(desk.ask("a", &gate));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        gate.add_permits(1);
        assert_eq!(second.await, 0);
    }

    #[tokio::test]
    async fn work_that_everybody_gave_up_begins_anew() {
        let (desk, gate) = (Desk::default(), Arc::new(Semaphore::new(0)));
        let mut first = Box::pin(desk.ask("a", &gate));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        gate.add_permits(1);
        assert_eq!(desk.ask("a", &gate).await, 1);
    }
}
