//! What it takes to be believed by AWS: which service and region a host belongs to, the signature of a request, and
//! short-term bearer tokens. No I/O, no clock, no SDK client.

pub mod hosts;
pub mod sign;
pub mod token;
