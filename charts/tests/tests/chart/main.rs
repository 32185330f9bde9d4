//! Tests of the chart. `make chart` runs them, with helm and an API server.

mod arguments;
mod broker_fence;
mod configurations;
mod crds;
mod fence;
mod hardening;
mod lifecycle;
mod rights;
mod values;
mod webhooks;
