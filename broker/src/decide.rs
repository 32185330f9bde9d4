//! What a pod that asks for a grant is to be told: pure, over what is known of the cluster.

use crate::caller::Caller;
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::reason,
    grant::Store,
    names::pod::{BROKER, DELIVERY, GRANT},
};
use alter_issuer::{
    Pod,
    lookup::{Labels, Lookup, look_up},
};
use alter_policy::service_account;
use alter_protocol::{Delivery, Revocation};
use jiff::Timestamp;
use kube::core::ObjectMeta;

/// What is known when a pod asks for a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The pod, as its token says.
    pub(crate) caller: &'a Caller,
    /// The pod, as the cluster has it; none where it is gone or has ended.
    pub(crate) pod: Option<&'a ObjectMeta>,
    /// The grant's name.
    pub(crate) name: &'a str,
    /// The grant; an error where it cannot be read.
    pub(crate) grant: Option<Result<&'a AwsGrant, &'a str>>,
    /// The grant's identity; an error where it cannot be read.
    pub(crate) identity: Option<Result<&'a AwsIdentity, &'a str>>,
    /// The labels of the pod's namespace.
    pub(crate) labels: Labels<'a>,
    /// Whether the namespace is being deleted.
    pub(crate) namespace_leaves: bool,
    /// What the installation calls the cluster.
    pub(crate) cluster: &'a str,
    /// The time.
    pub(crate) now: Timestamp,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing may be served, however valid a session is.
    Refused(Revocation),
    /// No session for now.
    Waiting(Revocation),
    /// The session of this digest.
    Session(String),
}

/// Decides.
pub(crate) fn decide(input: &Input<'_>) -> Verdict {
    // 1. Is the pod there?
    let Some(pod) = input.pod.filter(|pod| is_there(pod, input.now)) else {
        return refused(reason::POD_GONE, gone(input.caller));
    };
    // 2. Is the grant, and are its sessions the broker's to give?
    let grant = match input.grant {
        Some(Ok(grant)) => grant,
        Some(Err(error)) => {
            return waiting(
                reason::INVALID_SPEC,
                unreadable("AwsGrant", input.name, error),
            );
        }
        None => return refused(reason::GRANT_NOT_FOUND, missing(input)),
    };
    if let Some(verdict) = of_grant(grant, input) {
        return verdict;
    }
    // 3. Is it for this pod?
    if let Some(verdict) = of_pod(grant, pod, input.caller) {
        return verdict;
    }
    // 4. Does its identity allow it?
    of_identity(grant, input)
}

/// Terminating, a pod is there until its grace is over.
fn is_there(pod: &ObjectMeta, now: Timestamp) -> bool {
    let leaves = pod.deletion_timestamp.as_ref();
    leaves.is_none_or(|at| now < at.0)
}

fn of_grant(grant: &AwsGrant, input: &Input<'_>) -> Option<Verdict> {
    if grant.metadata.deletion_timestamp.is_some() || input.namespace_leaves {
        return Some(refused(
            reason::DELETED,
            "the grant is being deleted".to_owned(),
        ));
    }
    if grant.spec.store != Store::Broker {
        let message = "spec.store is Secret: a pod that has its Secret mounted waits for that, any other must be restarted";
        return Some(refused(reason::STORE_CHANGED, message.to_owned()));
    }
    if grant.spec.suspend {
        let message = "spec.suspend is true: set it to false to have a session again";
        return Some(refused(reason::SUSPENDED, message.to_owned()));
    }
    None
}

fn of_pod(grant: &AwsGrant, pod: &ObjectMeta, caller: &Caller) -> Option<Verdict> {
    let spec = &grant.spec;
    if !service_account::may_use(&spec.service_accounts, &caller.service_account) {
        let message = format!(
            "spec.serviceAccounts allows {}, and this pod runs as {}: set the pod's serviceAccountName, or extend the list",
            spec.service_accounts.join(", "),
            caller.service_account
        );
        return Some(refused(reason::SERVICE_ACCOUNT_NOT_ALLOWED, message));
    }
    let asked = pod.annotations.as_ref().and_then(|all| all.get(DELIVERY));
    let asked = asked.map_or(Delivery::Process.as_str(), |own| own.trim());
    // Without imds, where its sessions are too short for that.
    let allowed = spec.deliveries();
    let allowed: Vec<_> = allowed.iter().map(|own| own.as_str()).collect();
    if !allowed.contains(&asked) {
        let message = format!(
            "spec.deliveries allows {}, and this pod asks for {asked:?}: set its annotation {DELIVERY}, or extend the list",
            allowed.join(", ")
        );
        return Some(refused(reason::DELIVERY_NOT_ALLOWED, message));
    }
    None
}

fn of_identity(grant: &AwsGrant, input: &Input<'_>) -> Verdict {
    let name = &grant.spec.identity;
    let identity = match input.identity {
        Some(Err(error)) => {
            return waiting(
                reason::IDENTITY_NOT_READY,
                unreadable("AwsIdentity", name, error),
            );
        }
        Some(Ok(identity)) => Some(identity),
        None => None,
    };
    let pod = Pod {
        name: &input.caller.pod,
        service_account: &input.caller.service_account,
    };
    match look_up(identity, input.labels, grant, input.cluster, Some(pod)) {
        Lookup::Ready { digest, .. } => Verdict::Session(digest),
        Lookup::Denied(why) => refused(reason::NOT_ALLOWED, why),
        Lookup::Invalid { message, .. } => waiting(reason::INVALID_SPEC, message),
        Lookup::NotReady(why) => waiting(
            reason::IDENTITY_NOT_READY,
            format!("AwsIdentity {name:?} is not ready: {why}"),
        ),
        Lookup::NotSeenYet => waiting(
            reason::PENDING,
            format!("AwsIdentity {name:?} has not been checked yet"),
        ),
        Lookup::Missing => waiting(
            reason::IDENTITY_NOT_FOUND,
            format!(
                "there is no AwsIdentity {name:?}: correct spec.identity, or ask the platform team to create it"
            ),
        ),
    }
}

fn gone(caller: &Caller) -> String {
    let Caller { namespace, pod, .. } = caller;
    format!(
        "pod {namespace}/{pod} is gone, has ended, or lost its label {BROKER}: only a running pod gets a session"
    )
}

fn missing(input: &Input<'_>) -> String {
    format!(
        "there is no AwsGrant {:?} in namespace {:?}: create it, or correct the pod's annotation {GRANT}",
        input.name, input.caller.namespace
    )
}

fn unreadable(kind: &str, name: &str, error: &str) -> String {
    format!("{kind} {name:?} cannot be read: {error}; mend it")
}

fn refused(reason: &str, message: String) -> Verdict {
    Verdict::Refused(revocation(reason, message))
}

fn waiting(reason: &str, message: String) -> Verdict {
    Verdict::Waiting(revocation(reason, message))
}

pub(crate) fn revocation(reason: &str, message: String) -> Revocation {
    Revocation {
        reason: reason.to_owned(),
        message,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
