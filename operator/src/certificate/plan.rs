//! When CA and leaf are made: decided over their lives alone.

use jiff::{SignedDuration, Timestamp};

/// A CA lives a year.
pub(crate) const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A leaf lives a week.
pub(crate) const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A new CA is trusted so long before it signs.
const TRUSTED_FIRST: SignedDuration = SignedDuration::from_hours(24);

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The beginning.
    pub not_before: Timestamp,
    /// The end.
    pub not_after: Timestamp,
}

impl Life {
    /// At two thirds.
    fn due(self) -> Timestamp {
        self.not_before + self.not_after.duration_since(self.not_before) / 3 * 2
    }

    fn holds(self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The CA that signs.
    pub current: Option<Life>,
    /// The CA that will.
    pub next: Option<Life>,
    /// CAs that did.
    pub old: Vec<Life>,
    /// The leaf, if it is of the current CA and of all the names.
    pub leaf: Option<Life>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A CA and a leaf, as there are none that can be used.
    StartOver,
    /// The CA that will sign.
    MakeNext,
    /// The next CA becomes the current one, and signs a leaf.
    Promote,
    /// A leaf of the current CA.
    IssueLeaf,
    /// Old CAs that have expired go.
    DropOld,
    /// Nothing until then.
    Keep {
        /// When something is due.
        until: Timestamp,
    },
}

/// Decides.
pub(crate) fn plan(state: &State, now: Timestamp) -> Step {
    let Some(current) = state.current.filter(|life| life.holds(now)) else {
        // The next one has been trusted for longer than a leaf lives, where anything went as planned.
        let has_next = state.next.is_some_and(|life| life.holds(now));
        return if has_next {
            Step::Promote
        } else {
            Step::StartOver
        };
    };
    let leaf = match state.leaf.filter(|leaf| leaf.holds(now)) {
        Some(leaf) if now < leaf.due() => leaf,
        _ => return leaf_step(current, state.next, now),
    };
    if state.next.is_none() && now >= current.due() {
        return Step::MakeNext;
    }
    if state.old.iter().any(|life| now >= life.not_after) {
        return Step::DropOld;
    }
    let mut until = leaf.due();
    if state.next.is_none() {
        until = until.min(current.due());
    }
    for old in &state.old {
        until = until.min(old.not_after);
    }
    Step::Keep { until }
}

/// The next CA signs once it has been trusted long enough, or where the current one would die under the
/// leaf.
fn leaf_step(current: Life, next: Option<Life>, now: Timestamp) -> Step {
    let outlived = now + LEAF_LIFE > current.not_after;
    match next.filter(|life| life.holds(now)) {
        Some(next) if outlived || now >= next.not_before + TRUSTED_FIRST => Step::Promote,
        None if outlived => Step::MakeNext,
        _ => Step::IssueLeaf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn life(from: Timestamp, life: SignedDuration) -> Life {
        Life {
            not_before: from,
            not_after: from + life,
        }
    }

    fn fresh() -> State {
        State {
            current: Some(life(now(), AUTHORITY_LIFE)),
            leaf: Some(life(now(), LEAF_LIFE)),
            ..State::default()
        }
    }

    /// What the step makes of the state.
    fn after(step: Step, mut state: State, now: Timestamp) -> State {
        let leaf = Some(life(now, LEAF_LIFE));
        match step {
            Step::StartOver => State {
                current: Some(life(now, AUTHORITY_LIFE)),
                leaf,
                ..State::default()
            },
            Step::MakeNext => State {
                next: Some(life(now, AUTHORITY_LIFE)),
                ..state
            },
            Step::Promote => {
                state.old.extend(state.current);
                State {
                    current: state.next,
                    next: None,
                    leaf,
                    ..state
                }
            }
            Step::IssueLeaf => State { leaf, ..state },
            Step::DropOld => {
                state.old.retain(|own| own.holds(now));
                state
            }
            Step::Keep { .. } => state,
        }
    }

    #[test]
    fn nothing_there_starts_over_and_what_is_fresh_is_kept() {
        assert_eq!(plan(&State::default(), now()), Step::StartOver);
        let until = now() + LEAF_LIFE / 3 * 2;
        assert_eq!(plan(&fresh(), now()), Step::Keep { until });
        let unusable = State {
            leaf: None,
            ..fresh()
        };
        assert_eq!(plan(&unusable, now()), Step::IssueLeaf);
        assert_eq!(
            plan(&fresh(), now() - DAY),
            Step::StartOver,
            "a clock that was set back"
        );
    }

    #[test]
    fn a_ca_that_expired_while_nobody_led_is_replaced() {
        let end = now() + AUTHORITY_LIFE;
        assert_eq!(plan(&fresh(), end), Step::StartOver);
        let next = Some(life(end - DAY * 90, AUTHORITY_LIFE));
        let state = State { next, ..fresh() };
        assert_eq!(
            plan(&state, end),
            Step::Promote,
            "what is trusted already signs"
        );
    }

    #[test]
    fn a_next_ca_waits_a_day_before_it_signs() {
        let made = now() + AUTHORITY_LIFE / 3 * 2;
        let state = State {
            next: Some(life(made, AUTHORITY_LIFE)),
            leaf: Some(life(made - DAY * 5, LEAF_LIFE)),
            ..fresh()
        };
        assert_eq!(
            plan(&state, made),
            Step::IssueLeaf,
            "the leaf is due, and the next CA too young"
        );
        assert_eq!(plan(&state, made + DAY), Step::Promote);
    }

    #[test]
    fn a_ca_never_dies_under_its_leaf() {
        let late = now() + AUTHORITY_LIFE - DAY;
        let state = State {
            leaf: None,
            ..fresh()
        };
        assert_eq!(plan(&state, late), Step::MakeNext);
        let with_next = after(Step::MakeNext, state, late);
        assert_eq!(plan(&with_next, late), Step::Promote);
    }

    #[test]
    fn over_three_years_every_leaf_is_of_a_trusted_ca() {
        let mut state = after(Step::StartOver, State::default(), now());
        let (mut time, mut promotions, mut leaves) = (now(), 0, 0);
        while time < now() + AUTHORITY_LIFE * 3 {
            let step = plan(&state, time);
            match step {
                Step::Keep { until } => {
                    assert!(until > time, "no hot loop");
                    time = until;
                    continue;
                }
                Step::StartOver => panic!("the chain broke at {time}"),
                Step::Promote => {
                    promotions += 1;
                    let next = state.next.unwrap();
                    assert!(time >= next.not_before + TRUSTED_FIRST);
                }
                Step::IssueLeaf => leaves += 1,
                Step::MakeNext | Step::DropOld => {}
            }
            state = after(step, state, time);
            let (current, leaf) = (state.current.unwrap(), state.leaf.unwrap());
            assert!(leaf.not_after <= current.not_after || step == Step::MakeNext);
        }
        assert!(promotions >= 3 && leaves > 200, "{promotions} {leaves}");
        assert!(state.old.len() <= 1, "old CAs go");
    }
}
