//! The decisions of Alter over plain values: who may ask for which role, what a session is called, tagged
//! and confined to, and when it is renewed. No I/O, no clock, no Kubernetes or SDK types.

pub mod allow;
pub mod allowance;
pub mod arn;
pub mod backoff;
pub mod bedrock;
pub mod caller;
pub mod denial;
pub mod hex;
pub mod metadata;
pub mod name;
pub mod refresh;
pub mod revocation;
pub mod revoke;
pub mod roles_anywhere;
pub mod selector;
pub mod service_account;
pub mod session_policy;
pub mod spread;
pub mod tag;
pub mod template;
