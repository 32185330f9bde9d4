//! One look at an identity.

use super::plan::{Found, Input, Plan, plan, project};
use crate::{
    clock,
    context::{Context, Sessions},
    events::news,
    metrics::{kind, outcome},
    requeue::{self, AT_LEAST_EVERY},
    status::{StatusError, patch},
    watch::Guarded,
};
use alter_crds::{AwsIdentity, AwsIdentityStatus, condition::reason};
use alter_issuer::{Caller, Retry};
use kube::{Resource, ResourceExt, runtime::controller::Action};
use std::{sync::Arc, time::Duration};

/// Why there is no caller.
struct NoCaller {
    reason: &'static str,
    message: String,
    /// None where only a change of the spec helps.
    retry: Option<Retry>,
}

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
            let regarding = object.object_ref(&());
            context.tell_undecodable(&regarding, &invalid.error).await;
            return Ok(Action::await_change());
        }
    };
    // 3. What is to be done, and doing it.
    let outcome = match decide(identity, &context) {
        Plan::Wait { until } => {
            context
                .metrics
                .reconciled(kind::IDENTITY, outcome::UNCHANGED);
            return Ok(again(clock::until(until, clock::now())));
        }
        Plan::Refuse { message } => Err(NoCaller {
            reason: reason::INVALID_SPEC,
            message,
            retry: None,
        }),
        Plan::Check => ask(identity, &context).await,
    };
    // 4. Tell.
    tell(identity, &outcome, &context).await?;
    // 5. Look again when something is due.
    context.stumbles.forget(&identity.uid().unwrap_or_default());
    Ok(again(next(identity, outcome, &context)))
}

fn decide<S>(identity: &AwsIdentity, context: &Context<S>) -> Plan {
    let uid = identity.uid().unwrap_or_default();
    let failure = context.failures.of(&uid, &tried(identity));
    let mut invalid = identity.spec.check(&context.cluster).err();
    if !context.scope.knows_labels() {
        invalid = invalid.or(identity.spec.check_without_labels().err());
    }
    plan(&Input {
        generation: identity.metadata.generation,
        status: &old_status(identity),
        invalid: invalid.map(|error| error.to_string()),
        changed: context.rechecks.is_asked(&identity.name_any()),
        failure: failure.as_ref(),
        has_broker: context.has_broker,
        now: clock::now(),
    })
}

async fn ask<S: Sessions>(
    identity: &AwsIdentity,
    context: &Context<S>,
) -> Result<Caller, NoCaller> {
    // Before the call: what changes during it is asked about again.
    context.rechecks.begun(&identity.name_any());
    let answer = context.sessions.identify(identity).await;
    answer.map_err(|error| NoCaller {
        reason: error.category(),
        message: error.to_string(),
        retry: Some(error.retry()),
    })
}

/// Writes the status, if it changed, and publishes what is news.
async fn tell<S>(
    identity: &AwsIdentity,
    outcome: &Result<Caller, NoCaller>,
    context: &Context<S>,
) -> Result<(), StatusError> {
    let found = match outcome {
        Ok(caller) => Found::Caller {
            account_id: &caller.account_id,
            arn: &caller.arn,
        },
        Err(none) => Found::Failed {
            reason: none.reason,
            message: &none.message,
        },
    };
    let (old, now) = (old_status(identity), clock::now());
    let generation = identity.metadata.generation;
    let status = project(&old, generation, &found, context.has_broker, now);
    if identity.status.as_ref() == Some(&status) {
        return Ok(());
    }
    if patch(&context.client, &context.fence, identity, &status).await? {
        let news = news(&old.conditions, &status.conditions);
        let regarding = identity.object_ref(&());
        context.publisher.publish(&regarding, &news, now).await;
    }
    Ok(())
}

/// Counts what came of it, and gives the time until the next look.
fn next<S>(
    identity: &AwsIdentity,
    outcome: Result<Caller, NoCaller>,
    context: &Context<S>,
) -> Duration {
    let (name, uid) = (identity.name_any(), identity.uid().unwrap_or_default());
    let none = match outcome {
        Ok(caller) => {
            tracing::info!(identity = name, arn = caller.arn, "AWS knows the identity");
            context
                .metrics
                .reconciled(kind::IDENTITY, outcome::IDENTIFIED);
            context.failures.forget(&uid);
            return AT_LEAST_EVERY;
        }
        Err(none) => none,
    };
    let NoCaller {
        reason,
        message,
        retry,
    } = none;
    tracing::warn!(
        identity = name,
        reason,
        error = message,
        "AWS was not asked, or did not know the identity"
    );
    context.metrics.reconciled(kind::IDENTITY, outcome::FAILED);
    let Some(retry) = retry else {
        return AT_LEAST_EVERY;
    };
    let now = clock::now();
    let failures = &context.failures;
    let failure = failures.note(&uid, &tried(identity), (reason, message), retry, now);
    clock::until(failure.retry_at, now)
}

/// What a failure is remembered by: a changed spec is tried at once.
fn tried(identity: &AwsIdentity) -> String {
    format!("{:?}", identity.metadata.generation)
}

fn old_status(identity: &AwsIdentity) -> AwsIdentityStatus {
    identity.status.clone().unwrap_or_default()
}

fn again(wait: Duration) -> Action {
    Action::requeue(requeue::within(wait))
}
