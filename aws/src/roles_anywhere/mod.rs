//! IAM Roles Anywhere: a role is entered by an X.509 certificate.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication.html>

mod answer;
pub mod certificate;
mod client;
mod key;
mod signature;

pub use certificate::{Certificate, CertificateError};
pub use client::{Anchor, RolesAnywhere};
