//! The admission webhook: injects the agent into pods that ask for a grant, and validates both kinds.

pub mod args;
pub mod cache;
pub mod decide;
pub mod metrics;
pub mod pod;
pub mod receive;
pub mod review;
pub mod router;
pub mod serve;
pub mod validate;
