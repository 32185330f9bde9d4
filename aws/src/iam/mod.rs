//! What revocations need of IAM: an inline policy of a role, read, written and removed.
//!
//! By its Query API, <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>; the SDK's client for
//! all of IAM would be larger than the rest of the program.

mod answer;
mod client;

pub use client::Iam;

use crate::{classify::Class, failure::Failure};
use alter_policy::arn::RoleArn;

/// An inline policy of a role.
#[derive(Clone, Copy, Debug)]
pub struct RolePolicy<'a> {
    /// The role.
    pub role: RoleArn<'a>,
    /// The policy's name.
    pub name: &'a str,
}

/// Why a call of IAM brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("iam:{operation} of policy {policy} on role {role} failed: {failure}")]
pub struct IamError {
    /// Such as `PutRolePolicy`.
    pub operation: &'static str,
    /// The policy.
    pub policy: String,
    /// Path and name of the role.
    pub role: String,
    /// What went wrong.
    pub failure: Box<Failure>,
}

impl IamError {
    /// What the failure means for the next call.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.failure.class
    }

    fn is_absence(&self) -> bool {
        self.failure.code.as_deref() == Some("NoSuchEntity")
    }
}
