//! Tests of an installed chart on a real cluster, each in a namespace of its own. `make e2e` runs them.

mod bad_input;
mod disruption;
mod pods;
mod reinvocation;
mod renewal;
mod rules;
mod sdk;
mod taking_away;
