//! STS through the AWS SDK, IAM Roles Anywhere and what revocations need of IAM over its HTTP client: source
//! credentials, role sessions, policies of roles, and what each failure means.

#[cfg(test)]
mod ambient_tests;
pub mod classify;
pub mod entry;
pub mod failure;
pub mod iam;
mod mend;
mod partition;
pub mod request;
pub mod roles_anywhere;
pub mod source;
pub mod sts;
#[cfg(feature = "test-sts")]
pub mod test_anywhere;
#[cfg(feature = "test-sts")]
mod test_iam;
#[cfg(feature = "test-sts")]
pub mod test_sts;
mod user_session;
pub mod web_identity;
mod wire;

pub use classify::Class;
pub use entry::{Entry, EntryError};
pub use failure::{Failure, StsError};
pub use iam::{Iam, IamError, RolePolicy};
pub use request::{FederationRequest, RoleRequest};
pub use roles_anywhere::{Anchor, Certificate, CertificateError, RolesAnywhere};
pub use source::Source;
pub use sts::{Assumed, Caller, Settings, Sts};
pub use web_identity::WebIdentity;
