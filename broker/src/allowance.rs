//! How often new sessions may be asked for: whoever may change a grant or make pods makes sessions due at will, and
//! pays with a budget that the identity's other grants need too.

use crate::{clock, sessions::Wanted};
use alter_crds::names::grant::REVOKE_BEFORE;
use alter_issuer::{Pod, request};
use alter_policy::allowance::{self, Allowance, SESSIONS_AT_ONCE};
use alter_protocol::session::rfc3339;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use std::sync::{Mutex, PoisonError};

/// By the grant's UID, and whom of its pods the session names.
#[derive(Debug)]
pub(crate) struct Allowances(Mutex<allowance::Allowances<(String, Named)>>);

/// Whom a session names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Named {
    /// None of the grant's pods: they share it.
    Nobody,
    /// A service account, whose pods share it.
    ServiceAccount(String),
    /// A pod. One that is made again under its name has the session of before, and so its allowance.
    Pod(String),
}

impl Allowances {
    /// `min_interval` is the least time between two renewals.
    pub(crate) fn new(min_interval: SignedDuration) -> Self {
        let each = Allowance::of_sessions(min_interval);
        Self(Mutex::new(allowance::Allowances::new(each)))
    }

    /// Takes what one session costs; or says when the next may be asked for.
    pub(crate) fn take(&self, wanted: &Wanted) -> Result<(), Timestamp> {
        let whose = (wanted.grant.uid().unwrap_or_default(), named(wanted));
        let now = clock::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.next(&whose, now) {
            return Err(at);
        }
        all.take(whose, now);
        Ok(())
    }
}

fn named(wanted: &Wanted) -> Named {
    let own = Pod {
        name: &wanted.pod,
        service_account: &wanted.service_account,
    };
    // What is the same for another pod does not name this one.
    let asked = |pod| request::plan(&wanted.identity, &wanted.grant, &wanted.cluster, Some(pod));
    let request = asked(own);
    if request == asked(Pod::EXAMPLE) {
        return Named::Nobody;
    }
    let other = Pod {
        name: Pod::EXAMPLE.name,
        ..own
    };
    if request == asked(other) {
        return Named::ServiceAccount(wanted.service_account.clone());
    }
    Named::Pod(wanted.pod.clone())
}

/// The allowance is used up until then.
pub(crate) fn used_up(at: Timestamp) -> String {
    format!(
        "more than {SESSIONS_AT_ONCE} sessions in a short while: find who keeps changing the grant, its annotation \
         {REVOKE_BEFORE}, or its identity; the next is asked for at {}",
        rfc3339(at)
    )
}
