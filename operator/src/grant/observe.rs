//! What is known of a grant, and what that leads to.

use super::{
    cache,
    pause::{self, Pause},
    plan::{Existing, Input, Left, Plan, plan},
    turns::Turn,
};
use crate::{
    clock,
    context::{Context, Sessions},
    session_secret::{Facts, Live, WriteError},
    watch::Guarded,
};
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::{self, REFRESHED, reason},
    grant::Store,
};
use alter_issuer::{
    Pod,
    lookup::{Labels, Lookup, look_up},
};
use alter_runtime::watch::Scope;
use jiff::Timestamp;
use kube::{Resource, ResourceExt, core::ObjectMeta, runtime::reflector::ObjectRef};
use std::sync::Arc;

/// What the caches say about a grant, but for its Secret.
pub(crate) struct Known {
    identity: Option<Arc<Guarded<AwsIdentity>>>,
    /// What the identity says.
    pub(crate) lookup: Lookup,
    /// What a failure is remembered by: a change of any of it is tried at once.
    pub(crate) tried: String,
    /// Whether it goes on having sessions though no pod uses it.
    pub(crate) pause: Pause,
    /// How many pods ask for it without an agent; none while that is not known.
    pub(crate) orphans: Option<u32>,
    deleting: bool,
}

impl Known {
    /// The identity, if it can be read.
    pub(crate) fn identity(&self) -> Option<&AwsIdentity> {
        self.identity
            .as_ref()
            .and_then(|object| object.0.as_ref().ok())
    }
}

/// A plan, and what it was made from.
pub(crate) struct Decision {
    pub(crate) plan: Plan,
    pub(crate) secret: Existing,
    /// The Secret itself, where it was looked at.
    pub(crate) live: Option<Live>,
    /// The right to ask AWS.
    pub(crate) turn: Option<Turn>,
}

/// The Secret could not be looked at: what was planned without it, and why.
pub(crate) struct Unseen {
    pub(crate) plan: Plan,
    pub(crate) secret: Existing,
    pub(crate) error: WriteError,
}

/// Reads the caches.
pub(crate) fn know<S>(grant: &AwsGrant, context: &Context<S>) -> Known {
    let identity = context
        .identities
        .get(&ObjectRef::new(&grant.spec.identity));
    let decoded = identity.as_ref().and_then(|object| object.0.as_ref().ok());
    let namespace = grant.namespace().unwrap_or_default();
    let namespace = context.namespaces.get(&ObjectRef::new(&namespace));
    let labels = match (&context.scope, &namespace) {
        (Scope::Namespaces(_), _) => Labels::Hidden,
        (Scope::Cluster, None) => Labels::NotSeenYet,
        (Scope::Cluster, Some(namespace)) => Labels::Seen(namespace.labels()),
    };
    // What a session of the broker's says about its pod, any pod can stand for.
    let pod = (grant.spec.store == Store::Broker).then_some(Pod::EXAMPLE);
    let lookup = match (&identity, decoded) {
        (Some(_), None) => Lookup::NotReady("it cannot be read: see its events".to_owned()),
        _ => look_up(decoded, labels, grant, &context.cluster, pod),
    };
    let lookup = match (lookup, grant.revoke_before()) {
        (Lookup::Ready { rule, .. }, Err(error)) => Lookup::Invalid {
            rule,
            message: error.to_string(),
        },
        (lookup, _) => lookup,
    };
    let checked = decoded
        .and_then(|own| own.status.as_ref()?.last_checked.as_ref())
        .map(|at| at.0);
    let digest = match &lookup {
        Lookup::Ready { digest, .. } => digest.as_str(),
        _ => "",
    };
    let tried = format!("{:?} {digest} {checked:?}", grant.metadata.generation);
    let leaves = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let deleting =
        leaves(&grant.metadata) || namespace.as_ref().is_some_and(|own| leaves(&own.metadata));
    let name = cache::name(grant.metadata.namespace.as_deref(), &grant.name_any());
    Known {
        identity,
        lookup,
        tried,
        pause: pause_of(grant, context.users.use_of(&name)),
        orphans: context.orphans.of(&name),
        deleting,
    }
}

/// Whether by now another session is wanted than the one of this digest, or none.
pub(crate) fn is_overtaken<S>(asked: &AwsGrant, digest: &str, context: &Context<S>) -> bool {
    let namespace = asked.namespace().unwrap_or_default();
    let key = ObjectRef::new(&asked.name_any()).within(&namespace);
    let kept = context.grants.get(&key);
    let Some(Ok(grant)) = kept.map(|own| own.read()) else {
        return true;
    };
    let known = know(&grant, context);
    let is_another = match &known.lookup {
        Lookup::Ready { digest: own, .. } => own != digest,
        Lookup::Denied(_) => true,
        // Nothing new is asked for meanwhile; what was had is of the grant as it stands.
        _ => false,
    };
    is_another
        || known.deleting
        || grant.spec.suspend
        || grant.spec.store != asked.spec.store
        || grant.uid() != asked.uid()
}

fn pause_of(grant: &AwsGrant, in_use: Option<bool>) -> Pause {
    let status = grant.status.as_ref();
    let refreshed = status.and_then(|own| condition::find(&own.conditions, REFRESHED));
    pause::decide(&pause::Asked {
        // One that cannot be read is refused before a session is issued.
        after: grant.spec.pause_after().ok().flatten(),
        in_use,
        unused_since: status.and_then(|own| own.unused_since.as_ref().map(|at| at.0)),
        was_paused: refreshed.is_some_and(|own| own.reason == reason::PAUSED),
        now: clock::now(),
    })
}

/// Plans by what is cached. Where that leads to a write, the Secret itself is looked at first: the cache
/// may be behind this process's own last write, or the last leader's, and knows no foreign Secret. Only a
/// grant that was never looked at is spared that, since its first write fails where anything exists.
///
/// Before a session is asked for, a turn is taken, and where there is none the plan is made without.
pub(crate) async fn decide<S: Sessions>(
    grant: &AwsGrant,
    known: &Known,
    context: &Context<S>,
) -> Result<Decision, Unseen> {
    // 1. By what is cached.
    let namespace = grant.namespace().unwrap_or_default();
    let name = grant.secret_name();
    let cached = context.index.get(&namespace, &name);
    let is_known = cached.is_some();
    let secret = cached.map_or(Existing::Absent, |facts| belongs(facts, grant, context));
    let mut plan = plan_with(grant, known, &secret, context, None);
    // 2. With a turn, if it takes one.
    let taken = matches!(plan, Plan::Issue(_))
        .then(|| context.turns.take(&grant.spec.identity, clock::now()));
    let (turn, turn_at) = match taken.transpose() {
        Ok(turn) => (turn, None),
        Err(at) => (None, Some(at)),
    };
    if turn_at.is_some() {
        plan = plan_with(grant, known, &secret, context, turn_at);
    }
    if !writes(&plan) || (!is_known && is_new(grant)) {
        return Ok(Decision {
            plan,
            secret,
            live: None,
            turn,
        });
    }
    // 3. By the Secret itself.
    let looked = if is_known {
        context.writer.look(&namespace, &name).await
    } else {
        context.writer.look_at_unknown(&namespace, &name).await
    };
    let live = match looked {
        Ok(live) => live,
        Err(error) => {
            return Err(Unseen {
                plan,
                secret,
                error,
            });
        }
    };
    let secret = live
        .as_ref()
        .map_or(Existing::Absent, |live| whose(live, grant, context));
    Ok(Decision {
        plan: plan_with(grant, known, &secret, context, turn_at),
        secret,
        live,
        turn,
    })
}

/// Whether it was never looked at.
fn is_new(grant: &AwsGrant) -> bool {
    let status = grant.status.as_ref();
    status.is_none_or(|own| own.conditions.is_empty())
}

fn writes(plan: &Plan) -> bool {
    match plan {
        Plan::Issue(_) => true,
        Plan::TakeAway { write, .. } => *write,
        Plan::Brokered { clear } => *clear,
        Plan::Hold { left, .. } => matches!(left, Left::Stale(_)),
        Plan::Wait { .. } | Plan::Refuse { .. } | Plan::NotTakenAway { .. } => false,
    }
}

fn plan_with<S>(
    grant: &AwsGrant,
    known: &Known,
    secret: &Existing,
    context: &Context<S>,
    turn_at: Option<Timestamp>,
) -> Plan {
    let (uid, now) = (grant.uid().unwrap_or_default(), clock::now());
    let failure = context.failures.of(&uid, &known.tried);
    let reported = grant
        .status
        .as_ref()
        .and_then(|own| own.expiration.as_ref());
    plan(&Input {
        spec: &grant.spec,
        uid: &uid,
        deleting: known.deleting,
        identity: &known.lookup,
        secret,
        failure: failure.as_ref(),
        issue_at: context.allowances.next(&uid, now),
        turn_at,
        // One that cannot be read makes the grant invalid.
        revoke_before: grant.revoke_before().ok().flatten(),
        paused_since: known.pause.since(now),
        reported_until: reported.map(|at| at.0),
        min_interval: context.min_interval,
        has_broker: context.has_broker,
        now,
    })
}

/// Whose a Secret is.
fn whose<S>(live: &Live, grant: &AwsGrant, context: &Context<S>) -> Existing {
    match live.facts() {
        Ok(facts) => belongs(facts, grant, context),
        Err(why) => Existing::Foreign(format!(
            "Secret {} exists and is not Alter's, as {why}: delete it, or make a grant with another \
             secretName",
            grant.secret_name()
        )),
    }
}

/// Whose a Secret is that Alter wrote.
fn belongs<S>(facts: Facts, grant: &AwsGrant, context: &Context<S>) -> Existing {
    if grant.uid().as_deref() == Some(&facts.grant_uid) {
        return Existing::Own(facts);
    }
    let namespace = grant.namespace().unwrap_or_default();
    let owner = context
        .grants
        .get(&ObjectRef::new(&facts.grant).within(&namespace));
    if owner.is_some_and(|owner| owner.meta().uid.as_deref() == Some(&facts.grant_uid)) {
        return Existing::Foreign(format!(
            "Secret {} holds the session of AwsGrant {}: make a grant with another secretName",
            grant.secret_name(),
            facts.grant
        ));
    }
    Existing::Leftover
}
