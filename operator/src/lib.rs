//! Controllers of `AwsIdentity` and `AwsGrant`, and the keeper of the webhook certificate.

mod accept;
pub mod app;
pub mod args;
mod backoff;
mod broker_ca;
mod certificate;
mod clock;
mod context;
mod due;
mod encoded;
mod event_budget;
mod events;
mod failures;
#[cfg(test)]
mod fixtures;
mod grant;
mod identity;
mod lease;
mod metrics;
mod pods;
mod requeue;
mod revocation;
#[cfg(test)]
mod scripted;
mod session_secret;
mod status;
mod sweep;
mod watch;
