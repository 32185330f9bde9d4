//! What every server of Alter needs once: logging, metrics, health, shutdown, TLS, and what of the cluster it watches.

pub mod args;
pub mod health;
pub mod logging;
pub mod port;
pub mod shutdown;
pub mod tls;
pub mod watch;
