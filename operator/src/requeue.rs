//! When an object is looked at again, and what is logged of looks that came to nothing: the same for both
//! kinds.

use crate::{context::Context, metrics::outcome};
use alter_crds::answer::of_watch;
use alter_policy::backoff::doubled;
use kube::{
    Resource,
    runtime::{
        controller::{Action, Error},
        watcher,
    },
};
use std::{fmt::Display, time::Duration};

/// Also where nothing is due, an object is looked at so often: timers stand still while a machine sleeps.
pub(crate) const AT_LEAST_EVERY: Duration = Duration::from_mins(15);
const AT_SOONEST: Duration = Duration::from_millis(200);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);

/// A wait within bounds.
pub(crate) fn within(wait: Duration) -> Duration {
    wait.clamp(AT_SOONEST, AT_LEAST_EVERY)
}

/// The backoff of looks that the API server failed.
pub(crate) fn after_error<K: Resource, S>(
    kind: &'static str,
    object: &K,
    error: &impl Display,
    context: &Context<S>,
) -> Action {
    let metadata = object.meta();
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let wait = doubled(FIRST_RETRY, LAST_RETRY, context.stumbles.note(uid));
    tracing::warn!(
        %error,
        kind,
        namespace = metadata.namespace,
        name = metadata.name,
        retry_seconds = wait.as_secs(),
        "the object will be looked at again"
    );
    context.metrics.reconciled(kind, outcome::ERROR);
    Action::requeue(wait)
}

/// What looks failed of is logged by [`after_error`]; this is what failed before.
pub(crate) fn log<E>(kind: &'static str, error: Error<E, watcher::Error>) {
    match error {
        Error::ReconcilerFailed(..) => {}
        // A grant's Secret came or went: the sweep sees to it.
        Error::ObjectNotFound(object) => tracing::debug!(kind, %object, "the object is gone"),
        Error::QueueError(error) => tracing::warn!(
            kind,
            error = of_watch(&error),
            "a watch of the controller broke: it begins anew"
        ),
        Error::RunnerError(error) => tracing::error!(kind, %error, "the controller ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_bounds() {
        assert_eq!(within(Duration::ZERO), AT_SOONEST);
        assert_eq!(within(Duration::MAX), AT_LEAST_EVERY);
        assert_eq!(within(Duration::from_secs(7)), Duration::from_secs(7));
    }
}
