//! Measures the programs, each against a floor of the same run.

mod admission;
mod agent;
mod api_server;
mod broker;
mod compare;
mod endpoint;
mod floor;
mod helper;
mod http;
mod load;
mod loopback;
mod machine;
mod operator;
mod population;
mod program;
mod report;
pub mod run;
mod sts;
mod taking_away;
mod tls;

/// Whatever goes wrong ends the run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[allow(
    clippy::disallowed_methods,
    reason = "sessions made here must be valid now, and a report says when it was made"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
