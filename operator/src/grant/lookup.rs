//! What a grant's identity says about it.

use crate::session_secret::body;
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::{self, READY, reason},
    grant,
};
use alter_issuer::request;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write};

/// AWS caps a session at an hour where the caller is itself a session.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
const CHAINED_SECONDS: i32 = 3_600;

/// What a grant's identity says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
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

/// Asks the identity about the grant.
///
/// Denial comes before readiness: an identity that stops allowing must be heard at once, also while AWS
/// cannot be reached. An identity whose rules cannot be read denies nothing, as its condition says so.
pub(crate) fn look_up(
    identity: Option<&AwsIdentity>,
    namespace_labels: Option<&BTreeMap<String, String>>,
    grant: &AwsGrant,
    cluster: &str,
) -> Lookup {
    let Some(identity) = identity else {
        return Lookup::Missing;
    };
    let Some(labels) = namespace_labels else {
        return Lookup::NotSeenYet;
    };
    let status = identity.status.clone().unwrap_or_default();
    let seen = status.observed_generation == identity.metadata.generation;
    let ready = status.conditions.iter().find(|own| own.type_ == READY);
    if let Some(invalid) = ready.filter(|own| seen && own.reason == reason::INVALID_SPEC) {
        return Lookup::NotReady(invalid.message.clone());
    }
    let namespace = grant.namespace().unwrap_or_default();
    let rule = match grant::allows(&identity.spec, &grant.spec, &namespace, labels) {
        Ok(rule) => rule,
        Err(grant::NotAllowed::Selector(error)) => return Lookup::NotReady(error.to_string()),
        Err(denied @ grant::NotAllowed::Denied(_)) => return Lookup::Denied(denied.to_string()),
    };
    if !seen {
        return Lookup::NotSeenYet;
    }
    let (true, Some(caller)) = (condition::is_true(&status.conditions, READY), &status.arn) else {
        let message = ready.map(|own| own.message.clone());
        return message.map_or(Lookup::NotSeenYet, Lookup::NotReady);
    };
    match usable(identity, grant, caller, cluster) {
        Ok(request_digest) => Lookup::Ready {
            rule,
            digest: digest(grant, &request_digest),
        },
        Err(message) => Lookup::Invalid { rule, message },
    }
}

/// The digest of the request, if all of its fields can be used.
fn usable(
    identity: &AwsIdentity,
    grant: &AwsGrant,
    caller: &str,
    cluster: &str,
) -> Result<String, String> {
    grant
        .spec
        .refresh_before()
        .map_err(|error| error.to_string())?;
    let seconds = grant.spec.duration_seconds;
    if caller.contains(":assumed-role/") && seconds > CHAINED_SECONDS {
        return Err(format!(
            "durationSeconds: {seconds} is more than the {CHAINED_SECONDS} that AWS allows where the \
             caller is itself a session ({caller}): write {CHAINED_SECONDS} or less, or use an \
             AwsIdentity with an access key"
        ));
    }
    let request =
        request::plan(&identity.spec, grant, cluster).map_err(|error| error.to_string())?;
    Ok(request::digest(identity, &request))
}

/// Covers the request, `grant.json` and the Secret's template.
fn digest(grant: &AwsGrant, request_digest: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        request_digest,
        &body::document(grant).to_json(),
        // A struct of maps and a bool: serialising it has no way to fail.
        &serde_json::to_string(&grant.spec.secret_template).unwrap_or_default(),
    ] {
        hash.update(part);
        hash.update([0]);
    }
    let mut text = String::new();
    for byte in &hash.finalize()[..12] {
        // Writing to a String has no way to fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
