//! What a grant's identity says about it. Pure; the operator and the broker go by the same answer.

use crate::{
    digest,
    request::{self, Pod},
};
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::{self, READY, reason},
    grant, session,
};
use alter_policy::hex::hex;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a grant's identity says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// No identity of that name.
    Missing,
    /// The identity, or the namespace's labels, have not been looked at in their present form.
    NotSeenYet,
    /// The identity cannot call AWS; its condition's message.
    NotReady(String),
    /// No rule covers the grant.
    Denied(String),
    /// The identity allows the grant, but a field of the grant cannot be used.
    Invalid {
        /// Index of the rule.
        rule: usize,
        /// Names the field and the mend.
        message: String,
    },
    /// A session may be issued.
    Ready {
        /// Index of the rule.
        rule: usize,
        /// Changes with everything that session and files are made from.
        digest: String,
    },
}

/// The labels of the grant's namespace.
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a> {
    /// They are these.
    Seen(&'a BTreeMap<String, String>),
    /// They have not been seen yet.
    NotSeenYet,
    /// There is no right to see them: rules that ask for labels decide nothing.
    Hidden,
}

/// Asks the identity about the grant; `pod` is the one that the session is for, none where all pods of the grant
/// share it.
///
/// Denial comes before readiness: an identity that stops allowing must be heard at once, also while AWS
/// cannot be reached. An identity whose rules cannot be read denies nothing, as its condition says so.
#[must_use]
pub fn look_up(
    identity: Option<&AwsIdentity>,
    labels: Labels<'_>,
    grant: &AwsGrant,
    cluster: &str,
    pod: Option<Pod<'_>>,
) -> Lookup {
    let Some(identity) = identity else {
        return Lookup::Missing;
    };
    let none = BTreeMap::new();
    let labels = match labels {
        Labels::Seen(labels) => labels,
        Labels::NotSeenYet => return Lookup::NotSeenYet,
        Labels::Hidden => match identity.spec.check_without_labels() {
            Ok(()) => &none,
            Err(error) => return Lookup::NotReady(error.to_string()),
        },
    };
    let status = identity.status.clone().unwrap_or_default();
    let seen = status.observed_generation == identity.metadata.generation;
    let ready = condition::find(&status.conditions, READY);
    if let Some(invalid) = ready.filter(|own| seen && own.reason == reason::INVALID_SPEC) {
        return Lookup::NotReady(invalid.message.clone());
    }
    let namespace = grant.namespace().unwrap_or_default();
    let rule = match grant::allows(&identity.spec, &grant.spec, &namespace, labels) {
        Ok(rule) => rule,
        Err(grant::NotAllowed::Rules(error)) => return Lookup::NotReady(error.to_string()),
        Err(denied @ grant::NotAllowed::Denied(_)) => return Lookup::Denied(denied.to_string()),
    };
    if !seen {
        return Lookup::NotSeenYet;
    }
    let is_ready = condition::is_true(&status.conditions, READY) && status.arn.is_some();
    if !is_ready {
        let message = ready.map(|own| own.message.clone());
        return message.map_or(Lookup::NotSeenYet, Lookup::NotReady);
    }
    match usable(identity, grant, cluster, pod) {
        Ok(request_digest) => Lookup::Ready {
            rule,
            digest: whole_digest(grant, &request_digest),
        },
        Err(message) => Lookup::Invalid { rule, message },
    }
}

/// The digest of the request, if all of its fields can be used.
fn usable(
    identity: &AwsIdentity,
    grant: &AwsGrant,
    cluster: &str,
    pod: Option<Pod<'_>>,
) -> Result<String, String> {
    let request =
        request::plan(identity, grant, cluster, pod).map_err(|error| error.to_string())?;
    session::check_cap(identity, &grant.spec).map_err(|error| error.to_string())?;
    Ok(digest::digest(identity, &request))
}

/// Covers the request, `grant.json` and the Secret's template.
fn whole_digest(grant: &AwsGrant, request_digest: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        request_digest,
        &grant.document().to_json(),
        // A struct of maps and a bool: serialising it has no way to fail.
        &serde_json::to_string(&grant.spec.secret_template).unwrap_or_default(),
    ] {
        hash.update(part);
        hash.update([0]);
    }
    hex(&hash.finalize()[..12])
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
