//! What it takes to be believed by AWS: which service and region a host belongs to, the signature of a request,
//! short-term bearer tokens, and which IAM action a request is. No I/O, no clock, no SDK client.

pub mod actions;
pub mod hosts;
pub mod sign;
pub mod token;
