//! When objects are looked at: at once where something changed, and again when their time comes.
//!
//! kube's own queue keeps for each object that waits its reference several times, and never gives the room back:
//! at ten thousand that is more than the objects themselves. So they wait here, and it is handed a few at a time.

use futures::{Stream, stream};
use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// So many are with the controller, and wait for a slot; more than it has slots, so that none stays empty.
const HANDED_OVER: usize = 128;

/// Says when.
#[derive(Clone, Debug)]
pub(crate) struct Due(mpsc::UnboundedSender<(Arc<str>, Said)>);

#[derive(Clone, Copy, Debug)]
enum Said {
    Now,
    Begun,
    After(Option<Duration>),
}

impl Due {
    /// The object is to be looked at as soon as there is a slot.
    pub(crate) fn now(&self, object: impl Into<Arc<str>>) {
        self.say(object.into(), Said::Now);
    }

    /// The controller has taken the object up, or found that there is none.
    pub(crate) fn begun(&self, object: impl Into<Arc<str>>) {
        self.say(object.into(), Said::Begun);
    }

    /// The object is to be looked at after `wait`, and not before unless something brings it; not at all where
    /// there is none. What was set for it before no longer holds.
    pub(crate) fn set(&self, object: impl Into<Arc<str>>, wait: Option<Duration>) {
        self.say(object.into(), Said::After(wait));
    }

    fn say(&self, object: Arc<str>, said: Said) {
        // Fails only when the controller has ended, as the program does.
        let _ = self.0.send((object, said));
    }
}

/// What waits to be handed over, and what was.
#[derive(Default)]
struct Waiting {
    brought: VecDeque<Arc<str>>,
    is_brought: HashSet<Arc<str>>,
    times: Times,
    handed: HashSet<Arc<str>>,
    /// Neither those that are brought nor those whose time has come hold up the others.
    times_first: bool,
}

impl Waiting {
    fn hear(&mut self, object: Arc<str>, said: Said) {
        match said {
            // Also where it was handed over: the controller may have read it before it changed.
            Said::Now => {
                if self.is_brought.insert(object.clone()) {
                    self.brought.push_back(object);
                }
            }
            Said::Begun => {
                self.handed.remove(&object);
            }
            Said::After(wait) => self.times.set(object, wait),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Arc<str>> {
        if self.handed.len() >= HANDED_OVER {
            return Poll::Pending;
        }
        self.times_first = !self.times_first;
        let brought = if self.times_first {
            None
        } else {
            self.brought()
        };
        let next = match brought {
            Some(object) => Some(object),
            None => match self.times.poll_next(context) {
                Poll::Ready(object) => Some(object),
                Poll::Pending => self.brought(),
            },
        };
        let Some(object) = next else {
            return Poll::Pending;
        };
        self.handed.insert(object.clone());
        Poll::Ready(object)
    }

    fn brought(&mut self) -> Option<Arc<str>> {
        let object = self.brought.pop_front()?;
        self.is_brought.remove(&object);
        if self.brought.is_empty() {
            self.brought = VecDeque::new();
            self.is_brought = HashSet::new();
        }
        Some(object)
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

/// Where it is said when, and the objects that are to be looked at.
pub(crate) fn due() -> (Due, impl Stream<Item = Arc<str>> + Send) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut waiting = Waiting::default();
    let objects = stream::poll_fn(move |context| {
        while let Poll::Ready(said) = receiver.poll_recv(context) {
            let Some((object, said)) = said else {
                return Poll::Ready(None);
            };
            waiting.hear(object, said);
        }
        waiting.poll_next(context).map(Some)
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

    #[tokio::test(start_paused = true)]
    async fn what_is_brought_comes_once_and_at_once_whatever_its_time() {
        let (due, mut objects) = due();
        due.set("a", Some(SECOND * 5));
        due.now("a");
        due.now("a");
        assert_eq!(objects.next().await.as_deref(), Some("a"));
        assert!(objects.next().now_or_never().is_none());
        due.now("a");
        assert_eq!(
            objects.next().await.as_deref(),
            Some("a"),
            "it changed again before the controller took it up"
        );
        due.now("a");
        due.set("a", Some(SECOND * 5));
        let next = objects.next().now_or_never().flatten();
        assert_eq!(
            next.as_deref(),
            Some("a"),
            "the end of a look takes nothing back"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_handed_over_than_the_controller_takes_up() {
        let (due, mut objects) = due();
        for n in 0..HANDED_OVER + 2 {
            due.now(n.to_string());
        }
        for n in 0..HANDED_OVER {
            assert_eq!(objects.next().await.as_deref(), Some(&*n.to_string()));
        }
        assert!(objects.next().now_or_never().is_none());
        due.begun("7");
        let next = objects.next().await;
        assert_eq!(next.as_deref(), Some(&*HANDED_OVER.to_string()));
        assert!(objects.next().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn neither_kind_holds_up_the_other() {
        let (due, mut objects) = due();
        for n in 0..4 {
            due.now(format!("brought-{n}"));
            due.set(format!("timed-{n}"), Some(Duration::ZERO));
        }
        tokio::time::advance(SECOND).await;
        let mut seen = Vec::new();
        while let Some(Some(object)) = objects.next().now_or_never() {
            seen.push(object);
        }
        let of_first = |kind: &str| seen[..4].iter().filter(|own| own.starts_with(kind)).count();
        assert_eq!(
            (of_first("brought"), of_first("timed"), seen.len()),
            (2, 2, 8)
        );
    }
}
