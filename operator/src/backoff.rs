//! How often in a row something failed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How often in a row an object's look came to nothing, by UID.
#[derive(Debug, Default)]
pub(crate) struct Stumbles(Mutex<HashMap<String, u32>>);

impl Stumbles {
    /// Once more; gives how often.
    pub(crate) fn note(&self, uid: &str) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(uid.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// It worked, or the object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stumbles_count_until_they_are_forgotten() {
        let stumbles = Stumbles::default();
        assert_eq!(
            (stumbles.note("a"), stumbles.note("a"), stumbles.note("b")),
            (1, 2, 1)
        );
        stumbles.forget("a");
        assert_eq!(stumbles.note("a"), 1);
    }
}
