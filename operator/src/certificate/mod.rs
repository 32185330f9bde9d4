//! The webhook's certificate: made, renewed under the running webhook, and trusted by the API server.
//!
//! A new CA is trusted for a day before it signs anything, and an old one until it expires, so that no
//! order in which API servers and webhooks learn of them breaks a call.

mod authority;
mod bundle;
pub(crate) mod keeper;
mod plan;
mod store;

pub(crate) use keeper::Keeper;
