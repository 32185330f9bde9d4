//! Secrets whose grant is gone: their sessions are taken away at once, and they themselves a while later.
//!
//! A grant has no finalizer and its Secret no owner, so nothing but this looks after what a deletion leaves
//! behind. A pass looks at every Secret that is known, so that a deletion that was missed (the operator was
//! down, the watch broke) is found all the same.

mod pass;
mod plan;
mod retries;

pub(crate) use pass::Sweep;
