//! Statuses that were written, and that the watch has not told of yet.
//!
//! A look goes by the status that the cache holds. Where that is from before this process's own last write, a
//! status that is to be as it was then would look as if it stood already.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Digests of the statuses, by the grant's UID: those of a few moments.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<String, u64>>);

impl Told {
    /// Whether another status than this one was written since.
    pub(crate) fn differs(&self, uid: &str, digest: u64) -> bool {
        self.lock().get(uid).is_some_and(|own| *own != digest)
    }

    /// This one is being written.
    pub(crate) fn wrote(&self, uid: &str, digest: u64) {
        self.lock().insert(uid.to_owned(), digest);
    }

    /// The watch tells of this one.
    pub(crate) fn heard(&self, uid: &str, digest: Option<u64>) {
        let mut all = self.lock();
        if all.get(uid).copied() == digest {
            all.remove(uid);
        }
    }

    /// It was not written, or the grant is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// The watch has listed all grants as they are.
    pub(crate) fn clear(&self) {
        *self.lock() = HashMap::new();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_counts_until_the_watch_tells_of_it() {
        let told = Told::default();
        assert!(!told.differs("a", 1));
        told.wrote("a", 2);
        assert!(told.differs("a", 1) && !told.differs("a", 2) && !told.differs("b", 1));
        told.heard("a", Some(1));
        told.heard("b", None);
        assert!(told.differs("a", 1), "what was heard is from before");
        told.heard("a", Some(2));
        assert!(!told.differs("a", 1));
        told.wrote("a", 2);
        told.clear();
        told.wrote("b", 2);
        told.forget("b");
        assert!(told.lock().is_empty());
    }
}
