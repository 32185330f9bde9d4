//! One look at an identity.

use super::{
    check::check,
    plan::{Found, Input, Plan, plan, project},
};
use crate::{
    clock,
    context::{Context, Guarded, Sessions},
    events::news,
    status::{StatusError, patch},
};
use alter_crds::{AwsIdentity, condition::reason};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, runtime::controller::Action};
use std::{sync::Arc, time::Duration};

const AT_LEAST_EVERY: Duration = Duration::from_secs(15 * 60);
const AT_SOONEST: Duration = Duration::from_millis(200);

/// One look at an identity.
pub(crate) async fn reconcile<S: Sessions>(
    object: Arc<Guarded<AwsIdentity>>,
    context: Arc<Context<S>>,
) -> Result<Action, StatusError> {
    // 1. Only the leader acts.
    if !context.fence.is_open() {
        return Ok(Action::await_change());
    }
    // 2. An object that cannot be read is told of, and stalls nobody.
    let identity = match &object.0 {
        Ok(identity) => identity,
        Err(invalid) => {
            let reference = object.object_ref(&());
            context.tell_undecodable(&reference, &invalid.error).await;
            return Ok(Action::await_change());
        }
    };
    // 3. What is to be done.
    let name = identity.name_any();
    let uid = identity.uid().unwrap_or_default();
    let generation = identity.metadata.generation;
    let tried = format!("{generation:?}");
    let old = identity.status.clone().unwrap_or_default();
    let failure = context.failures.of(&uid, &tried);
    let plan = plan(&Input {
        generation,
        status: &old,
        invalid: check(&identity.spec, &context.cluster)
            .err()
            .map(|error| error.to_string()),
        changed: context.rechecks.is_asked(&name),
        failure: failure.as_ref(),
        now: clock::now(),
    });
    // 4. Do it, and tell.
    let outcome = match plan {
        Plan::Wait { until } => {
            context.metrics.reconciled("AwsIdentity", "unchanged");
            return Ok(requeue(until));
        }
        Plan::Refuse { message } => {
            let reason = reason::INVALID_SPEC;
            Err((reason, message, None))
        }
        Plan::Check => {
            // Before the call: what changes during it is asked about again.
            context.rechecks.begun(&name);
            context.sessions.forget(&name);
            let answer = context.sessions.identify(identity).await;
            answer.map_err(|error| (error.category(), error.to_string(), Some(error.retry())))
        }
    };
    let now = clock::now();
    let status = match &outcome {
        Ok(caller) => {
            context.failures.forget(&uid);
            let (account_id, arn) = (&caller.account_id, &caller.arn);
            project(&old, generation, &Found::Caller { account_id, arn }, now)
        }
        Err((reason, message, _)) => {
            tracing::warn!(
                identity = name,
                reason,
                message,
                "the identity is not ready"
            );
            project(&old, generation, &Found::Failed { reason, message }, now)
        }
    };
    if identity.status.as_ref() != Some(&status)
        && patch(&context.client, &context.fence, identity, &status).await?
    {
        let news = news(&old.conditions, &status.conditions);
        let reference = identity.object_ref(&());
        context
            .publisher
            .publish(&reference, "Reconcile", &news, now)
            .await;
    }
    // 5. Look again when something is due.
    context.stumbles.forget(&uid);
    Ok(match outcome {
        Ok(caller) => {
            tracing::info!(identity = name, arn = caller.arn, "AWS knows the identity");
            context.metrics.reconciled("AwsIdentity", "identified");
            Action::requeue(AT_LEAST_EVERY)
        }
        Err((reason, message, Some(retry))) => {
            context.metrics.reconciled("AwsIdentity", "failed");
            let failure = context
                .failures
                .note(&uid, &tried, (reason, message), retry, now);
            requeue(failure.retry_at)
        }
        Err((_, _, None)) => {
            context.metrics.reconciled("AwsIdentity", "refused");
            Action::requeue(AT_LEAST_EVERY)
        }
    })
}

fn requeue(at: Timestamp) -> Action {
    let wait = Duration::try_from(at.duration_since(clock::now())).unwrap_or_default();
    Action::requeue(wait.clamp(AT_SOONEST, AT_LEAST_EVERY))
}
