//! One look at a grant.

use super::{
    act::{Act, Outcome},
    kept::{Kept, digest},
    observe::{Known, decide, know},
    plan::{Existing, Left, Plan},
    status::{View, project},
    told::Told,
};
use crate::{
    clock,
    context::{Context, Sessions},
    events::{News, news},
    metrics::{kind, outcome},
    pods::in_status,
    requeue::{self, AT_LEAST_EVERY},
    revocation::{self, see_to},
    session_secret::WriteError,
    status::{StatusError, patch},
};
use alter_crds::{AwsGrant, AwsGrantStatus, condition::reason};
use alter_issuer::lookup::Lookup;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use std::time::Duration;

/// No watch tells that a foreign Secret went, or that an expired session's keys can be removed.
const SECRET_AGAIN: Duration = Duration::from_mins(1);

/// Why a look at a grant came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The Secret could not be looked at.
    #[error(transparent)]
    Look(#[from] WriteError),
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] StatusError),
}

/// One look at a grant; gives the time until the next, where one is due without a change.
pub(crate) async fn reconcile<S: Sessions>(
    object: &Kept,
    context: &Context<S>,
) -> Result<Option<Duration>, ReconcileError> {
    // 1. Only the leader acts, and on caches that have been filled.
    context.synced.wait().await;
    if !context.fence.is_open() {
        return Ok(None);
    }
    // 2. An object that cannot be read is told of, and stalls nobody.
    let grant = match object.read() {
        Ok(grant) => grant,
        Err(error) => {
            let regarding = object.object_ref(&());
            context.tell_undecodable(&regarding, &error).await;
            return Ok(None);
        }
    };
    // 3. What identity, namespace and Secret say, and what that leads to.
    let grant = &grant;
    let known = know(grant, context);
    let decision = decide(grant, &known, context).await;
    // 4. Do it.
    let act = Act {
        grant,
        known: &known,
        context,
    };
    let outcome = match decision {
        Ok(decision) => act.run(decision).await,
        Err(unseen) => Some(act.unseen(unseen)?),
    };
    let Some(outcome) = outcome else {
        return Ok(None);
    };
    // 5. What is out already is AWS's to deny.
    let at_aws = see_to(object, grant, &known, context);
    // 6. Tell.
    if let Some((status, news)) = report(object, grant, &known, (&outcome, &at_aws), &context.told)
    {
        tell(grant, &status, &news, context).await?;
    }
    // 7. Look again when something is due.
    context.stumbles.forget(&grant.uid().unwrap_or_default());
    context
        .metrics
        .reconciled(kind::GRANT, name_of(&outcome.plan));
    let now = clock::now();
    let pause = known.pause.is_to_come(now);
    let pause = pause.map_or(AT_LEAST_EVERY, |at| clock::until(at, now));
    let wait = wait(&outcome.plan, now).min(pause).min(at_aws.wait(now));
    Ok(Some(requeue::within(wait)))
}

/// The status that is to be written, if it changed, and what of it is news.
fn report(
    object: &Kept,
    grant: &AwsGrant,
    known: &Known,
    (outcome, at_aws): (&Outcome, &revocation::plan::Plan),
    told: &Told,
) -> Option<(AwsGrantStatus, Vec<News>)> {
    let has_secret = matches!(outcome.secret, Existing::Own(_));
    let view = view(outcome)?;
    if is_a_moment(grant, known, outcome) {
        return None;
    }
    let now = clock::now();
    let orphans_told = grant.status.as_ref().and_then(|own| own.orphaned_pods);
    let mut status = AwsGrantStatus {
        orphaned_pods: in_status(known.orphans, orphans_told),
        unused_since: known.pause.unused_since.map(clock::whole_seconds),
        ..project(grant, &known.lookup, &view, has_secret, now)
    };
    at_aws.tell(&mut status, grant.metadata.generation, now);
    let digest = digest(&status);
    if object.tells(digest) && !told.differs(&grant.uid().unwrap_or_default(), digest) {
        return None;
    }
    let old = grant.status.as_ref().map(|own| own.conditions.as_slice());
    let news = news(old.unwrap_or_default(), &status.conditions);
    Some((status, news))
}

/// Writes the status, and publishes the news.
async fn tell<S>(
    grant: &AwsGrant,
    status: &AwsGrantStatus,
    news: &[News],
    context: &Context<S>,
) -> Result<(), ReconcileError> {
    // First: the watch may tell of it before the answer is here.
    let uid = grant.uid().unwrap_or_default();
    context.told.wrote(&uid, digest(status));
    let written = patch(&context.client, &context.fence, grant, status).await;
    if !matches!(written, Ok(true)) {
        context.told.forget(&uid);
    }
    if written? {
        let regarding = grant.object_ref(&());
        let publisher = &context.publisher;
        publisher.publish(&regarding, news, clock::now()).await;
    }
    Ok(())
}

/// An identity that has just been edited is looked at within moments, and so is a grant whose session is
/// served while it waits for its turn. What was said stands until then, rather than to change twice.
fn is_a_moment(grant: &AwsGrant, known: &Known, outcome: &Outcome) -> bool {
    let told = grant
        .status
        .as_ref()
        .is_some_and(|own| !own.conditions.is_empty());
    let ended = matches!(
        outcome.plan,
        Plan::TakeAway { .. }
            | Plan::NotTakenAway { .. }
            | Plan::Hold {
                left: Left::Stale(_) | Left::Expired(_),
                ..
            }
    );
    let waits = matches!(
        outcome.plan,
        Plan::Hold {
            reason: reason::PENDING,
            left: Left::Until(_),
            ..
        }
    );
    told && !ended && (waits || known.lookup == Lookup::NotSeenYet)
}

fn view(outcome: &Outcome) -> Option<View<'_>> {
    let served = match &outcome.secret {
        Existing::Own(facts) => facts.served.as_ref(),
        _ => None,
    };
    match &outcome.plan {
        Plan::Wait { until } => served.map(|served| View::Serving {
            served,
            next_refresh: *until,
        }),
        Plan::TakeAway {
            reason, message, ..
        } => Some(View::TakenAway { reason, message }),
        Plan::NotTakenAway { message, .. } => Some(View::NotTakenAway { message, served }),
        Plan::Hold {
            reason,
            message,
            left,
            retry_at,
        } => Some(View::Held {
            reason,
            message,
            left: *left,
            served,
            retry_at: *retry_at,
        }),
        Plan::Refuse { message } => Some(View::Refused { message }),
        Plan::Brokered { .. } => Some(View::Brokered),
        Plan::Issue(_) => None,
    }
}

fn wait(plan: &Plan, now: Timestamp) -> Duration {
    let until = |at| clock::until(at, now);
    match plan {
        Plan::Wait { until: at } | Plan::NotTakenAway { retry_at: at, .. } => until(*at),
        Plan::Hold { left, retry_at, .. } => {
            let retry = retry_at.map_or(AT_LEAST_EVERY, until);
            match left {
                Left::Until(end) => retry.min(until(*end)),
                Left::Stale(_) => retry.min(SECRET_AGAIN),
                Left::Nothing | Left::Expired(_) => retry,
            }
        }
        Plan::Refuse { .. } => SECRET_AGAIN,
        // A new one comes right after it was dropped.
        Plan::Issue(_)
        | Plan::TakeAway {
            reason: reason::REVOKED,
            ..
        } => Duration::ZERO,
        Plan::TakeAway { .. } | Plan::Brokered { .. } => AT_LEAST_EVERY,
    }
}

/// The metrics' `outcome`.
fn name_of(plan: &Plan) -> &'static str {
    match plan {
        Plan::Issue(_) => outcome::ISSUE,
        Plan::Wait { .. } | Plan::Brokered { .. } => outcome::SERVED,
        Plan::TakeAway { .. } => outcome::TAKEN_AWAY,
        Plan::NotTakenAway { .. } => outcome::NOT_TAKEN_AWAY,
        Plan::Hold { .. } => outcome::HELD,
        Plan::Refuse { .. } => outcome::REFUSED,
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
