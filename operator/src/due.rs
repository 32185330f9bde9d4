//! When objects are to be looked at again.
//!
//! kube's own timers keep for each object its reference twice and its reason, and a place in two tables: at
//! ten thousand that is more than the objects themselves.

use futures::{Stream, stream};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// Sets the times.
#[derive(Clone, Debug)]
pub(crate) struct Due(mpsc::UnboundedSender<(Arc<str>, Option<Duration>)>);

impl Due {
    /// The object is to be looked at after `wait`, and not before unless something brings it; not at all where
    /// there is none. What was set for it before no longer holds.
    pub(crate) fn set(&self, object: &str, wait: Option<Duration>) {
        // Fails only when the controller has ended, as the program does.
        let _ = self.0.send((object.into(), wait));
    }
}

#[derive(Default)]
struct Times {
    queue: DelayQueue<Arc<str>>,
    keys: HashMap<Arc<str>, delay_queue::Key>,
}

impl Times {
    fn set(&mut self, object: Arc<str>, wait: Option<Duration>) {
        match (self.keys.entry(object), wait) {
            (Entry::Occupied(entry), Some(wait)) => self.queue.reset(entry.get(), wait),
            (Entry::Occupied(entry), None) => {
                self.queue.remove(&entry.remove());
            }
            (Entry::Vacant(entry), Some(wait)) => {
                let key = self.queue.insert(entry.key().clone(), wait);
                entry.insert(key);
            }
            (Entry::Vacant(_), None) => {}
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Arc<str>> {
        // An empty queue says that it has ended; it is polled again once something is set.
        if let Poll::Ready(Some(expired)) = self.queue.poll_expired(context) {
            let object = expired.into_inner();
            self.keys.remove(&object);
            return Poll::Ready(object);
        }
        Poll::Pending
    }
}

/// Where times are set, and the objects whose time has come.
pub(crate) fn due() -> (Due, impl Stream<Item = Arc<str>> + Send) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut times = Times::default();
    let objects = stream::poll_fn(move |context| {
        while let Poll::Ready(set) = receiver.poll_recv(context) {
            let Some((object, wait)) = set else {
                return Poll::Ready(None);
            };
            times.set(object, wait);
        }
        times.poll_next(context).map(Some)
    });
    (Due(sender), objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, StreamExt};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn objects_come_when_they_are_due() {
        let (due, mut objects) = due();
        due.set("later", Some(SECOND * 3));
        due.set("sooner", Some(SECOND));
        assert!(objects.next().now_or_never().is_none());
        assert_eq!(objects.next().await.as_deref(), Some("sooner"));
        assert_eq!(objects.next().await.as_deref(), Some("later"));
        assert!(objects.next().now_or_never().is_none(), "each comes once");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_set_last_holds() {
        let (due, mut objects) = due();
        due.set("a", Some(SECOND));
        due.set("b", Some(SECOND * 2));
        assert!(objects.next().now_or_never().is_none());
        due.set("a", Some(SECOND * 5));
        due.set("b", None);
        due.set("c", None);
        assert_eq!(objects.next().await.as_deref(), Some("a"));
        assert!(objects.next().now_or_never().is_none());
        due.set("a", Some(Duration::ZERO));
        assert_eq!(objects.next().await.as_deref(), Some("a"));
    }
}
