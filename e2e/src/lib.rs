//! What the tests against a real cluster share: a namespace for each test, waiting for states, and a
//! look through everything readable for secrets that should not be there.

pub mod fixture;
pub mod kubectl;
pub mod leak;
pub mod namespace;
pub mod wait;

pub use namespace::{TestNamespace, with_temp_namespace};

/// Namespace of the installation under test.
pub const SYSTEM_NAMESPACE: &str = "alter-system";

/// Any failure of a test's own tooling.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
