//! Revocations at AWS: what is out already is denied by a policy on its role.

mod line;
pub(crate) mod plan;
pub(crate) mod queue;

pub(crate) use queue::{Job, Revocations};

use crate::{
    clock,
    context::Context,
    grant::{cache::name_of, kept::Kept, observe::Known},
};
use alter_crds::{AwsGrant, AwsIdentity, revocation::order};
use kube::ResourceExt;
use plan::{Input, Plan, plan};

/// Plans, and where AWS is to be told hands that over. Sessions were dropped before.
pub(crate) fn see_to<S>(
    object: &Kept,
    grant: &AwsGrant,
    known: &Known,
    context: &Context<S>,
) -> Plan {
    // One that cannot be read makes the grant invalid.
    let Some(cut) = grant.revoke_before().ok().flatten() else {
        return Plan::Unasked;
    };
    let uid = grant.uid().unwrap_or_default();
    let identity = known.identity();
    let order = identity.map(|own| order(own, grant, &context.cluster, cut));
    let generation = |own: &AwsIdentity| own.metadata.generation;
    let tried = format!(
        "{cut} {:?} {:?}",
        grant.metadata.generation,
        identity.and_then(generation)
    );
    let (revocations, now) = (&context.revocations, clock::now());
    let attempt = revocations.attempt(&uid, cut, &tried);
    let status = grant.status.as_ref();
    let plan = plan(&Input {
        cut: Some(cut),
        denied: status
            .and_then(|own| own.denied_before.as_ref())
            .map(|at| at.0),
        identity: &known.lookup,
        order: order.as_ref(),
        attempt: attempt.as_ref(),
        next: revocations.next(&uid, now),
        now,
    });
    if let (Plan::Tell, Some(identity), Some(Ok(order))) = (&plan, identity, order) {
        let job = Job {
            uid,
            name: name_of(object),
            identity: identity.clone(),
            order,
            cut,
            tried,
        };
        revocations.ask(job, now);
    }
    plan
}
