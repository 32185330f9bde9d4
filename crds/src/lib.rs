//! The kinds of `alter.dev/v1alpha1`, and the names that Alter gives things in a cluster.
//!
//! The plain values that `alter-policy` decides over, and those that `alter-protocol` writes, are made
//! from the kinds here and nowhere else.

// The schema derive re-emits the types inside a function, where the lint takes them for unreachable.
#![allow(unreachable_pub)]
// Field docs become the CRDs' descriptions, where backticks are noise.
#![allow(clippy::doc_markdown)]
// The printer columns of one kind share types.
#![allow(clippy::duplicated_attributes)]

pub mod answer;
mod check;
pub mod condition;
mod duration;
mod entry;
pub mod field;
pub mod grant;
pub mod identity;
pub mod names;
pub mod revocation;
pub mod rules;
pub mod session;

pub use grant::{AwsGrant, AwsGrantSpec, AwsGrantStatus};
pub use identity::{AwsIdentity, AwsIdentitySpec, AwsIdentityStatus};
