//! What the tests of the chart share: `helm`, `kubectl`, and queries over rendered objects.

pub mod command;
pub mod manifest;
pub mod release;
pub mod render;

/// Any failure of a test's own tooling.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The chart under test.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../alter");
