//! The injection into pods: pure, from a pod and its grants to a patch or a denial.

pub mod agent_container;
pub mod annotations;
pub mod broker;
pub mod denial;
pub mod env;
pub mod grant;
pub mod inject;
mod patch;
mod quantity;
pub mod resources;
mod security;
pub mod view;
pub mod volumes;

pub use agent_container::Settings;
pub use annotations::Asked;
pub use broker::Broker;
pub use denial::Denial;
pub use grant::GrantView;
pub use inject::{Injection, inject};
