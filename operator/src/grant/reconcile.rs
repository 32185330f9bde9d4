//! One look at a grant.

use super::{
    failures::Failure,
    lookup::{Lookup, look_up},
    plan::{Existing, Input, Left, Plan, failed, plan, refresh_at},
    status::{View, project},
};
use crate::{
    clock,
    context::{Context, Guarded, Sessions},
    events::{News, news},
    session_secret::{Facts, Live, Since, WriteError, body},
    status::{StatusError, patch},
};
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::{self, READY, reason},
};
use alter_issuer::{Issued, Retry};
use alter_protocol::Revocation;
use jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use std::{sync::Arc, time::Duration};

/// Also where nothing is due, a grant is looked at so often: timers stand still while a machine sleeps.
const AT_LEAST_EVERY: Duration = Duration::from_secs(15 * 60);
/// A foreign Secret is not watched.
const CONFLICT_AGAIN: Duration = Duration::from_secs(60);
const AT_SOONEST: Duration = Duration::from_millis(200);
/// After a write that the API server failed.
const WRITE_RETRY: Retry = Retry::Backoff {
    first: Duration::from_secs(1),
    max: Duration::from_secs(60),
};

/// Why a look at a grant came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The Secret could not be looked at.
    #[error(transparent)]
    Look(WriteError),
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] StatusError),
}

/// What is known before the Secret is looked at.
struct Known {
    identity: Option<Arc<Guarded<AwsIdentity>>>,
    lookup: Lookup,
    /// What a failure is remembered by: a change of any of it is tried at once.
    tried: String,
    deleting: bool,
}

/// What came of a plan.
struct Outcome {
    plan: Plan,
    secret: Existing,
}

/// One look at a grant.
pub(crate) async fn reconcile<S: Sessions>(
    object: Arc<Guarded<AwsGrant>>,
    context: Arc<Context<S>>,
) -> Result<Action, ReconcileError> {
    // 1. Only the leader acts, and on caches that have been filled.
    context.synced().await;
    if !context.fence.is_open() {
        return Ok(Action::await_change());
    }
    // 2. An object that cannot be read is told of, and stalls nobody.
    let grant = match &object.0 {
        Ok(grant) => grant,
        Err(invalid) => {
            let reference = object.object_ref(&());
            context.tell_undecodable(&reference, &invalid.error).await;
            return Ok(Action::await_change());
        }
    };
    // 3. What identity, namespace and Secret say, and what that leads to.
    let known = know(grant, &context);
    let (plan, secret, live) = decide(grant, &known, &context).await?;
    // 4. Do it.
    let outcome = act(grant, &known, plan, secret, live, &context).await;
    let Some(outcome) = outcome else {
        return Ok(Action::await_change());
    };
    // 5. Tell.
    tell(grant, &known, &outcome, &context).await?;
    // 6. Look again when something is due.
    context.stumbles.forget(&grant.uid().unwrap_or_default());
    context
        .metrics
        .reconciled("AwsGrant", name_of(&outcome.plan));
    Ok(Action::requeue(wait(&outcome.plan, clock::now())))
}

fn know<S>(grant: &AwsGrant, context: &Context<S>) -> Known {
    let identity = context
        .identities
        .get(&ObjectRef::new(&grant.spec.identity));
    let decoded = identity.as_ref().and_then(|object| object.0.as_ref().ok());
    let namespace = grant.namespace().unwrap_or_default();
    let namespace = context.namespaces.get(&ObjectRef::new(&namespace));
    let labels = namespace.as_ref().map(|own| own.labels());
    let lookup = match (&identity, decoded) {
        (Some(_), None) => Lookup::NotReady("it cannot be read: see its events".to_owned()),
        _ => look_up(decoded, labels, grant, &context.cluster),
    };
    let checked = decoded
        .and_then(|own| own.status.as_ref()?.last_checked.as_ref())
        .map(|at| at.0);
    let digest = match &lookup {
        Lookup::Ready { digest, .. } => digest.as_str(),
        _ => "",
    };
    let tried = format!("{:?} {digest} {checked:?}", grant.metadata.generation);
    let leaves = |metadata: &kube::core::ObjectMeta| metadata.deletion_timestamp.is_some();
    let deleting =
        leaves(&grant.metadata) || namespace.as_ref().is_some_and(|own| leaves(&own.metadata));
    Known {
        identity,
        lookup,
        tried,
        deleting,
    }
}

/// Plans by what is cached. Where that leads to a write, the Secret itself is looked at first: the cache
/// may be behind this process's own last write, or the last leader's, and knows no foreign Secret. Only a
/// grant that was never looked at is spared that, since its first write fails where anything exists.
async fn decide<S: Sessions>(
    grant: &AwsGrant,
    known: &Known,
    context: &Context<S>,
) -> Result<(Plan, Existing, Option<Live>), ReconcileError> {
    let namespace = grant.namespace().unwrap_or_default();
    let name = grant.secret_name();
    let cached = context.index.get(&namespace, &name);
    let is_new = cached.is_none()
        && grant
            .status
            .as_ref()
            .is_none_or(|own| own.conditions.is_empty());
    let secret = cached.map_or(Existing::Absent, |facts| belongs(facts, grant, context));
    let planned = plan_with(grant, known, &secret, context);
    let writes = match &planned {
        Plan::Issue(_) => !is_new,
        Plan::TakeAway { write, .. } => *write,
        Plan::Hold { left, .. } => matches!(left, Left::Stale(_)),
        Plan::Wait { .. } | Plan::Refuse { .. } => false,
    };
    if !writes {
        return Ok((planned, secret, None));
    }
    let live = context
        .writer
        .look(&namespace, &name)
        .await
        .map_err(ReconcileError::Look)?;
    let secret = match &live {
        None => Existing::Absent,
        Some(live) => match live.facts() {
            Ok(facts) => belongs(facts, grant, context),
            Err(why) => Existing::Foreign(format!(
                "Secret {name} exists and is not Alter's, as {why}: delete it, or make a grant with another secretName"
            )),
        },
    };
    let planned = plan_with(grant, known, &secret, context);
    Ok((planned, secret, live))
}

fn plan_with<S>(grant: &AwsGrant, known: &Known, secret: &Existing, context: &Context<S>) -> Plan {
    let uid = grant.uid().unwrap_or_default();
    let failure = context.failures.of(&uid, &known.tried);
    let status = grant.status.as_ref();
    plan(&Input {
        spec: &grant.spec,
        uid: &uid,
        deleting: known.deleting,
        identity: &known.lookup,
        secret,
        failure: failure.as_ref(),
        reported_until: status
            .and_then(|own| own.expiration.as_ref())
            .map(|at| at.0),
        min_interval: context.min_interval,
        now: clock::now(),
    })
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

/// Does what the plan says; none where this process stopped leading meanwhile.
async fn act<S: Sessions>(
    grant: &AwsGrant,
    known: &Known,
    plan: Plan,
    secret: Existing,
    live: Option<Live>,
    context: &Context<S>,
) -> Option<Outcome> {
    let (plan, secret) = match plan {
        Plan::Issue(why) => match issue(grant, known, live.as_ref(), context).await {
            Ok(facts) => {
                log(grant, &facts, why);
                let secret = Existing::Own(facts);
                (served(grant, &secret, context), secret)
            }
            Err(NoSession::Fenced) => return None,
            Err(NoSession::Failed(reason, message, retry)) => {
                let failure = note(grant, known, (reason, message), retry, context);
                (failed(&secret, &failure, clock::now()), secret)
            }
        },
        plan => (plan, secret),
    };
    match plan {
        Plan::TakeAway { write: true, .. }
            if let Some(failure) = unwritable(grant, known, context) =>
        {
            Some(Outcome {
                plan: failed(&secret, &failure, clock::now()),
                secret,
            })
        }
        Plan::TakeAway {
            reason,
            message,
            write: true,
        } => {
            let revocation = revocation(reason, &message);
            match empty(grant, revocation, None, live.as_ref(), context).await {
                Ok(facts) => Some(Outcome {
                    plan: Plan::TakeAway {
                        reason,
                        message,
                        write: false,
                    },
                    secret: Existing::Own(facts),
                }),
                Err(WriteError::Fenced(_)) => None,
                Err(error) => {
                    let text = format!("the session was not taken away: {error}");
                    let failure =
                        note(grant, known, (error.category(), text), WRITE_RETRY, context);
                    Some(Outcome {
                        plan: failed(&secret, &failure, clock::now()),
                        secret,
                    })
                }
            }
        }
        Plan::Hold {
            reason,
            message,
            left: Left::Stale(at),
            retry_at,
        } => {
            let text = format!("the session expired, and there is no new one: {message}");
            let revocation = revocation(reason::EXPIRED, &text);
            let left = match empty(grant, revocation, Some(at), live.as_ref(), context).await {
                Ok(_) => Left::Expired(at),
                Err(WriteError::Fenced(_)) => return None,
                Err(error) => {
                    tracing::warn!(%error, grant = %full_name(grant), "the keys of an expired session were not removed");
                    Left::Stale(at)
                }
            };
            let plan = Plan::Hold {
                reason,
                message,
                left,
                retry_at,
            };
            Some(Outcome { plan, secret })
        }
        plan => Some(Outcome { plan, secret }),
    }
}

/// Why there is no session.
enum NoSession {
    Fenced,
    Failed(&'static str, String, Retry),
}

/// Asks STS, and writes what it answers.
async fn issue<S: Sessions>(
    grant: &AwsGrant,
    known: &Known,
    live: Option<&Live>,
    context: &Context<S>,
) -> Result<Facts, NoSession> {
    let identity = known
        .identity
        .as_ref()
        .and_then(|object| object.0.as_ref().ok());
    let (Some(identity), Lookup::Ready { digest, .. }) = (identity, &known.lookup) else {
        return Err(NoSession::Fenced);
    };
    let issued = context
        .sessions
        .issue(identity, grant)
        .await
        .map_err(|error| {
            if error.category() == reason::SOURCE_REJECTED {
                recheck(identity, context);
            }
            NoSession::Failed(error.category(), error.to_string(), error.retry())
        })?;
    let now = clock::now();
    if !issued.session.is_valid(now) {
        return Err(already_expired(&issued));
    }
    let body = body::serving(
        grant,
        &issued.session,
        &issued.assumed_role_arn,
        digest,
        now,
    );
    drop(issued);
    let written = match live {
        None => context.writer.create(&body).await,
        Some(live) => context.writer.apply(live, body, Since::SameObject).await,
    };
    match written {
        Ok(facts) => {
            let namespace = grant.namespace().unwrap_or_default();
            context
                .index
                .insert(&namespace, &grant.secret_name(), facts.clone());
            context.failures.forget(&grant.uid().unwrap_or_default());
            context.metrics.issued();
            Ok(facts)
        }
        Err(WriteError::Fenced(_)) => Err(NoSession::Fenced),
        Err(error) => Err(NoSession::Failed(
            error.category(),
            error.to_string(),
            WRITE_RETRY,
        )),
    }
}

fn already_expired(issued: &Issued) -> NoSession {
    let message = format!(
        "STS answered with a session that ended at {}: check the clock of the operator's node",
        alter_protocol::session::rfc3339(issued.session.expiration)
    );
    NoSession::Failed(reason::UNAVAILABLE, message, WRITE_RETRY)
}

/// One check of the identity in place of a retry for each of its grants.
fn recheck<S>(identity: &AwsIdentity, context: &Context<S>) {
    let status = identity.status.as_ref();
    if status.is_some_and(|own| condition::is_true(&own.conditions, READY)) {
        context.rechecks.ask(&identity.name_any());
    }
}

/// Rewrites the Secret without a session.
async fn empty<S>(
    grant: &AwsGrant,
    revocation: Revocation,
    expiration: Option<Timestamp>,
    live: Option<&Live>,
    context: &Context<S>,
) -> Result<Facts, WriteError> {
    let reason = revocation.reason.clone();
    let body = body::revoked(grant, revocation, expiration, clock::now());
    let facts = match live {
        None => context.writer.create(&body).await?,
        Some(live) => context.writer.apply(live, body, Since::SameObject).await?,
    };
    let namespace = grant.namespace().unwrap_or_default();
    context
        .index
        .insert(&namespace, &grant.secret_name(), facts.clone());
    tracing::info!(grant = %full_name(grant), reason, "took the session away");
    Ok(facts)
}

/// A write that the API server has just failed, which is not repeated before its time. What AWS answered
/// never holds up taking away.
fn unwritable<S>(grant: &AwsGrant, known: &Known, context: &Context<S>) -> Option<Failure> {
    let failure = context
        .failures
        .of(&grant.uid().unwrap_or_default(), &known.tried)?;
    let of_a_write = [reason::SECRET_WRITE_FAILED, reason::PENDING].contains(&failure.reason);
    (of_a_write && clock::now() < failure.retry_at).then_some(failure)
}

fn revocation(reason: &'static str, message: &str) -> Revocation {
    Revocation {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn note<S>(
    grant: &AwsGrant,
    known: &Known,
    (reason, message): (&'static str, String),
    retry: Retry,
    context: &Context<S>,
) -> Failure {
    tracing::warn!(grant = %full_name(grant), reason, message, "no session");
    context.metrics.failed(reason);
    let uid = grant.uid().unwrap_or_default();
    let what = (reason, message);
    context
        .failures
        .note(&uid, &known.tried, what, retry, clock::now())
}

fn served<S>(grant: &AwsGrant, secret: &Existing, context: &Context<S>) -> Plan {
    let uid = grant.uid().unwrap_or_default();
    let served = match secret {
        Existing::Own(facts) => facts.served.as_ref(),
        _ => None,
    };
    let until = served.map_or_else(clock::now, |served| {
        refresh_at(&grant.spec, &uid, served, context.min_interval)
    });
    Plan::Wait { until }
}

/// Writes the status, if it changed, and publishes what is news.
async fn tell<S>(
    grant: &AwsGrant,
    known: &Known,
    outcome: &Outcome,
    context: &Context<S>,
) -> Result<(), ReconcileError> {
    let facts = match &outcome.secret {
        Existing::Own(facts) => Some(facts),
        _ => None,
    };
    let served = facts.and_then(|own| own.served.as_ref());
    let view = match (&outcome.plan, served) {
        (Plan::Wait { until }, Some(served)) => View::Serving {
            served,
            next_refresh: *until,
        },
        (
            Plan::TakeAway {
                reason, message, ..
            },
            _,
        ) => View::TakenAway { reason, message },
        (
            Plan::Hold {
                reason,
                message,
                left,
                retry_at,
            },
            served,
        ) => View::Held {
            reason,
            message,
            left: *left,
            served,
            retry_at: *retry_at,
        },
        (Plan::Refuse { message }, _) => View::Refused { message },
        (Plan::Issue(_) | Plan::Wait { .. }, _) => return Ok(()),
    };
    let now = clock::now();
    let status = project(grant, &known.lookup, &view, facts.is_some(), now);
    if grant.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let old = grant.status.as_ref().map(|own| own.conditions.as_slice());
    let news = news(old.unwrap_or_default(), &status.conditions);
    if patch(&context.client, &context.fence, grant, &status).await? {
        let reference = grant.object_ref(&());
        context
            .publisher
            .publish(&reference, "Reconcile", &news, now)
            .await;
    }
    Ok(())
}

impl<S> Context<S> {
    /// An event and a log line that name an object which cannot be decoded.
    pub(crate) async fn tell_undecodable(
        &self,
        reference: &k8s_openapi::api::core::v1::ObjectReference,
        error: &str,
    ) {
        let kind = reference.kind.clone().unwrap_or_default();
        tracing::error!(
            kind,
            namespace = reference.namespace,
            name = reference.name,
            error,
            "the object cannot be read, and is left alone"
        );
        let news = [News {
            warning: true,
            reason: reason::INVALID_SPEC.to_owned(),
            message: format!(
                "the object cannot be read: {error}; correct it, and check that the CRDs are of the operator's version"
            ),
        }];
        self.publisher
            .publish(reference, "Reconcile", &news, clock::now())
            .await;
    }
}

fn wait(plan: &Plan, now: Timestamp) -> Duration {
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let wait = match plan {
        Plan::Wait { until: at } => until(*at),
        Plan::Hold { left, retry_at, .. } => {
            let retry = retry_at.map_or(AT_LEAST_EVERY, until);
            match left {
                Left::Until(end) => retry.min(until(*end)),
                Left::Stale(_) => retry.min(CONFLICT_AGAIN),
                Left::Nothing | Left::Expired(_) => retry,
            }
        }
        Plan::Refuse { .. } => CONFLICT_AGAIN,
        Plan::TakeAway { .. } => AT_LEAST_EVERY,
        Plan::Issue(_) => AT_SOONEST,
    };
    wait.clamp(AT_SOONEST, AT_LEAST_EVERY)
}

/// The metrics' `outcome`.
fn name_of(plan: &Plan) -> &'static str {
    match plan {
        Plan::Issue(_) => "issue",
        Plan::Wait { .. } => "served",
        Plan::TakeAway { .. } => "taken-away",
        Plan::Hold { .. } => "held",
        Plan::Refuse { .. } => "refused",
    }
}

fn log(grant: &AwsGrant, facts: &Facts, why: super::plan::Why) {
    if let Some(served) = &facts.served {
        tracing::info!(
            grant = %full_name(grant),
            ?why,
            access_key_id = served.access_key_id,
            expiration = %served.expiration,
            "issued a session"
        );
    }
}

fn full_name(grant: &AwsGrant) -> String {
    format!(
        "{}/{}",
        grant.namespace().unwrap_or_default(),
        grant.name_any()
    )
}
