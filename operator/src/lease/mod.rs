//! Leader election by a Lease, with a fence: a leader that cannot reach the API server stops writing
//! before another may start.

mod fence;
mod keeper;
mod state;

pub(crate) use fence::{Fence, Fenced};
pub(crate) use keeper::Keeper;
