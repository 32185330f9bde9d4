//! Grants: a session for each, renewed, and taken away.

pub(crate) mod act;
pub(crate) mod allowance;
pub(crate) mod cache;
pub(crate) mod controller;
pub(crate) mod kept;
pub(crate) mod observe;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod reconcile;
pub(crate) mod status;
pub(crate) mod told;
pub(crate) mod turns;
pub(crate) mod waits;

pub(crate) use kept::Grants;

#[cfg(test)]
mod at_aws_tests;
#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod pause_tests;
#[cfg(test)]
mod revoke_tests;
#[cfg(test)]
mod time_tests;
#[cfg(test)]
pub(crate) mod world;
