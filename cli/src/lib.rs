//! The verbs of the command `alter`. What they decide stands in the crates below.

pub mod args;
pub mod credentials;
pub mod failure;
pub mod hosts;
pub mod request;
pub mod run;
pub mod token;
