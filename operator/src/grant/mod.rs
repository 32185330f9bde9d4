//! Grants: a session for each, renewed, and taken away.

pub(crate) mod act;
pub(crate) mod controller;
pub(crate) mod failures;
pub(crate) mod lookup;
pub(crate) mod observe;
pub(crate) mod plan;
pub(crate) mod reconcile;
pub(crate) mod status;
