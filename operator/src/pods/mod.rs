//! Pods: those that use grants, so that what nobody uses can pause, and those that ask for a grant and run without
//! their agent.
//!
//! Nothing of a pod is kept but a few numbers. Pods that the webhook has injected carry its label and are watched;
//! all others are passed over in pages now and then, as no selector finds an annotation.

mod evict;
mod follow;
mod orphans;
mod search;
mod seen;
mod users;

pub(crate) use follow::follow;
pub(crate) use orphans::{Orphans, in_status};
pub(crate) use search::{Search, Settings};
pub(crate) use users::Users;
