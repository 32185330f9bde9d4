//! The broker: answers each pod with a session of its own.
//!
//! A question comes with its pod's token ([`authenticate`]), is decided over what is known of the cluster
//! ([`decide`]), and held until there is an answer that the pod does not know ([`answer`]). No session rests
//! anywhere but in this process ([`sessions`]).

mod allowance;
pub mod answer;
pub mod args;
pub mod authenticate;
mod bells;
mod caller;
mod clock;
pub mod cluster;
mod decide;
pub mod metrics;
mod principal;
mod quota;
pub mod router;
pub mod serve;
pub mod sessions;
mod tag;
