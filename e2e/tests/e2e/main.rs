//! Tests of an installed chart on a real cluster, each in a namespace of its own. `make e2e` runs them.

mod sdk;
