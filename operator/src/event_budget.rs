//! How many events are published: where ten thousand grants become ready at once, telling of each would cost
//! the API server as much as their sessions do, and none of it is news.

use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// Events that may come at once.
const BURST: f64 = 200.0;
/// Events a second after that.
const RATE: f64 = 10.0;
/// What is kept for warnings, which someone must act on.
const FOR_WARNINGS: f64 = 100.0;

/// A bucket of tokens, full at first.
#[derive(Debug)]
pub(crate) struct EventBudget(Mutex<Level>);

#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: f64,
    at: Timestamp,
}

impl EventBudget {
    /// Full.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Level {
            tokens: BURST,
            at: Timestamp::MIN,
        }))
    }

    /// Whether one may be published; if so, it is counted.
    pub(crate) fn take(&self, warning: bool, now: Timestamp) -> bool {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.duration_since(level.at).as_secs_f64().max(0.0) * RATE;
        let tokens = (level.tokens + gained).min(BURST);
        let kept = if warning { 0.0 } else { FOR_WARNINGS };
        let may = tokens >= kept + 1.0;
        *level = Level {
            tokens: if may { tokens - 1.0 } else { tokens },
            at: now,
        };
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;
    use jiff::SignedDuration;

    fn taken(budget: &EventBudget, warning: bool, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| budget.take(warning, now)).count()
    }

    #[test]
    fn good_news_leaves_room_for_warnings() {
        let budget = EventBudget::new();
        assert_eq!(taken(&budget, false, now()), 100);
        assert_eq!(taken(&budget, true, now()), 100);
        assert!(!budget.take(true, now()));
    }

    #[test]
    fn it_fills_with_the_time_and_goes_on_after_a_clock_is_set_back() {
        let budget = EventBudget::new();
        assert_eq!(taken(&budget, true, now()), 200);
        let later = now() + SignedDuration::from_secs(2);
        assert_eq!(taken(&budget, true, later), 20);
        let back = now() - SignedDuration::from_hours(1);
        assert!(!budget.take(true, back));
        let after = back + SignedDuration::from_secs(2);
        assert_eq!(taken(&budget, true, after), 20);
    }
}
