//! Whose turn it is: one of each namespace at a time, and the namespaces in turn, so that nobody waits for all that
//! another team asks for.

use std::collections::{HashMap, HashSet, VecDeque};

/// What waits, and the namespaces of which one is under way.
pub(crate) struct Line<T> {
    waiting: HashMap<String, VecDeque<T>>,
    /// Those that wait with nothing of theirs under way, the next one first.
    turns: VecDeque<String>,
    underway: HashSet<String>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            underway: HashSet::new(),
        }
    }
}

impl<T> Line<T> {
    /// Behind all of its namespace.
    pub(crate) fn join(&mut self, namespace: &str, job: T) {
        let own = self.waiting.entry(namespace.to_owned()).or_default();
        own.push_back(job);
        if own.len() == 1 && !self.underway.contains(namespace) {
            self.turns.push_back(namespace.to_owned());
        }
    }

    /// The next one and its namespace, of which none other comes before that is [`Line::done`].
    pub(crate) fn next(&mut self) -> Option<(String, T)> {
        let namespace = self.turns.pop_front()?;
        let own = self.waiting.get_mut(&namespace)?;
        let job = own.pop_front()?;
        if own.is_empty() {
            self.waiting.remove(&namespace);
        }
        self.underway.insert(namespace.clone());
        Some((namespace, job))
    }

    /// The one of the namespace that was under way has come to its end.
    pub(crate) fn done(&mut self, namespace: &str) {
        self.underway.remove(namespace);
        if self.waiting.contains_key(namespace) {
            self.turns.push_back(namespace.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_take_turns_and_have_one_under_way_each() {
        let mut line = Line::default();
        for (namespace, job) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5)] {
            line.join(namespace, job);
        }
        let mut order = Vec::new();
        while let Some((_, job)) = line.next() {
            order.push(job);
        }
        assert_eq!(order, [1, 4, 5], "the rest of a waits for its first");
        line.join("b", 6);
        assert!(line.next().is_none());
        line.done("b");
        line.done("a");
        assert_eq!(line.next(), Some(("b".to_owned(), 6)));
        assert_eq!(line.next(), Some(("a".to_owned(), 2)));
        line.done("a");
        assert_eq!(line.next(), Some(("a".to_owned(), 3)));
        for namespace in ["a", "b", "c"] {
            line.done(namespace);
        }
        assert!(line.next().is_none() && line.waiting.is_empty() && line.underway.is_empty());
    }
}
