//! STS through the AWS SDK: source credentials, role sessions, and what each failure means.

pub mod classify;
pub mod entry;
pub mod failure;
mod mend;
pub mod request;
pub mod source;
pub mod sts;
#[cfg(feature = "test-sts")]
pub mod test_sts;
mod user_session;
pub mod web_identity;

pub use classify::Class;
pub use entry::{Entry, EntryError};
pub use failure::{Failure, StsError};
pub use request::{FederationRequest, RoleRequest};
pub use source::Source;
pub use sts::{Assumed, Caller, Settings, Sts};
pub use web_identity::WebIdentity;
