//! What runs inside a pod: the agent and the `credential_process` helper.
//!
//! The agent reads the Secrets of the pod's grants, or asks the broker ([`broker`]), decides for each what may be
//! served ([`state`]), and answers the helper over a unix socket, and SDKs over a loopback endpoint or as instance
//! metadata. It speaks to neither Kubernetes nor AWS.

pub mod answer;
pub mod args;
pub mod broker;
mod clock;
pub mod config_file;
mod connections;
mod endpoint;
pub mod files;
mod http;
mod imds;
pub mod layout;
pub mod metrics;
mod origin;
pub mod serve;
pub mod socket;
mod source;
pub mod state;
pub mod store;
mod token;
