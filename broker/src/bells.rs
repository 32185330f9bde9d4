//! Wakes the questions that are held for what has changed, and no others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::Notify;

/// Who waits for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bells(Arc<Mutex<Waiting>>);

/// By what is waited for.
type Waiting = HashMap<Bell, Vec<Weak<Notify>>>;

/// What one can wait for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bell {
    /// A pod, by its UID.
    Pod(String),
    /// A grant, by namespace and name.
    Grant(String, String),
    /// A namespace.
    Namespace(String),
    /// Any identity; it wakes everyone else too.
    Identities,
}

/// Hears some bells until it is dropped; what rings between two waits is not lost.
#[derive(Debug)]
pub(crate) struct Listener {
    bells: Bells,
    heard: Vec<Bell>,
    notify: Arc<Notify>,
}

impl Bells {
    /// Listens from now on.
    pub(crate) fn listen(&self, heard: Vec<Bell>) -> Listener {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.lock();
        for bell in &heard {
            let all = waiting.entry(bell.clone()).or_default();
            all.push(Arc::downgrade(&notify));
        }
        drop(waiting);
        Listener {
            bells: self.clone(),
            heard,
            notify,
        }
    }

    /// Wakes those who listen to this one.
    pub(crate) fn ring(&self, bell: &Bell) {
        wake(self.lock().get(bell).into_iter().flatten());
    }

    /// Wakes everyone.
    pub(crate) fn ring_all(&self) {
        wake(self.lock().values().flatten());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake<'w>(all: impl Iterator<Item = &'w Weak<Notify>>) {
    for one in all.filter_map(Weak::upgrade) {
        one.notify_one();
    }
}

impl Listener {
    /// Returns at the next ring, at once where there was one since the last.
    pub(crate) async fn rung(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.bells.lock();
        let own = Arc::as_ptr(&self.notify);
        for bell in &self.heard {
            if let Some(all) = waiting.get_mut(bell) {
                all.retain(|one| one.as_ptr() != own);
                if all.is_empty() {
                    waiting.remove(bell);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn pod(uid: &str) -> Bell {
        Bell::Pod(uid.to_owned())
    }

    #[test]
    fn only_who_listens_is_woken_and_no_ring_is_lost() {
        let bells = Bells::default();
        let one = bells.listen(vec![pod("1"), Bell::Namespace("a".to_owned())]);
        let two = bells.listen(vec![pod("2")]);
        bells.ring(&pod("1"));
        bells.ring(&pod("1"));
        assert!(one.rung().now_or_never().is_some());
        assert!(one.rung().now_or_never().is_none(), "two rings wake once");
        assert!(two.rung().now_or_never().is_none());
        bells.ring_all();
        assert!(one.rung().now_or_never().is_some());
        assert!(two.rung().now_or_never().is_some());
    }

    #[test]
    fn nothing_is_left_of_who_listens_no_more() {
        let bells = Bells::default();
        let one = bells.listen(vec![pod("1")]);
        let two = bells.listen(vec![pod("1"), pod("2")]);
        drop(two);
        assert_eq!(bells.lock().len(), 1);
        bells.ring(&pod("1"));
        assert!(one.rung().now_or_never().is_some());
        drop(one);
        assert!(bells.lock().is_empty());
    }
}
