//! What every server of Alter needs once: logging, metrics, health, shutdown, TLS.
