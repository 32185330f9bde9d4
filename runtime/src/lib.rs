//! What every server of Alter needs once: logging, metrics, health, shutdown, TLS.

pub mod args;
pub mod health;
pub mod logging;
pub mod port;
pub mod shutdown;
pub mod tls;
