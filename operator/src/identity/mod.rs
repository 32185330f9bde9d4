//! Identities: whether AWS knows the operator by them, and as whom.

pub(crate) mod controller;
pub(crate) mod keys;
pub(crate) mod plan;
pub(crate) mod reconcile;
