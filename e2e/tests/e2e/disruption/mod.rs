//! The installation is stopped, killed, upgraded and removed while tenants go on. One test at a time.

mod broker;
mod chart;
mod operator;
mod webhook;
