//! Tests of an installed chart on a real cluster, each in a namespace of its own. `make e2e` runs them.

mod allowance;
mod bad_input;
mod broker;
mod chain;
mod confined;
mod deletion;
mod disruption;
mod expiry;
mod leak;
mod orphans;
mod own_role;
mod pausing;
mod pods;
mod reinvocation;
mod renewal;
mod revocation;
mod rules;
mod sdk;
mod second_tenant;
mod sts;
mod taking_away;
