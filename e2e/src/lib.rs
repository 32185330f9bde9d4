//! What the tests against a real cluster share: a namespace for each test, waiting for states, what AWS
//! was asked, and a look through everything readable for secrets that should not be there.

pub mod anywhere;
pub mod app;
pub mod away;
pub mod aws_role;
pub mod brokered;
pub mod fixture;
pub mod kubectl;
pub mod leak;
pub mod namespace;
pub mod relay;
pub mod system;
pub mod tenant;
pub mod trail;
pub mod wait;
pub mod witness;

pub use namespace::{TestNamespace, with_temp_namespace};

/// Any failure of a test's own tooling.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
