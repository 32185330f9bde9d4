//! The loop that looks at every Secret whose grant is gone.

use super::{
    plan::{Step, plan},
    retries::Retries,
};
use crate::{
    clock,
    context::Context,
    grant::Grants,
    lease::Fence,
    metrics::Metrics,
    session_secret::{Facts, Index, Since, WriteError, Writer, body, index::Key},
    watch::Synced,
};
use alter_crds::{AwsGrant, answer::InWords, condition::reason};
use alter_protocol::Revocation;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource,
    runtime::reflector::{Lookup, ObjectRef},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Also where nothing was heard, a pass is made so often.
const AT_LEAST_EVERY: Duration = Duration::from_mins(1);
/// What is heard within this time leads to one pass.
const AT_SOONEST: Duration = Duration::from_millis(500);
const CONCURRENCY: usize = 16;

/// Why a Secret was not looked after.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// Whether the grant is gone could not be asked.
    #[error(
        "cannot ask whether AwsGrant {grant} is gone: {}; check that the operator may get awsgrants",
        InWords(.source)
    )]
    Grant {
        /// Namespace and name.
        grant: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Secret was not read or written.
    #[error(transparent)]
    Secret(#[from] WriteError),
}

/// What came of a Secret.
enum Tended {
    /// It stays as it is, perhaps until then.
    Until(Option<Timestamp>),
    /// It is to go.
    Removed,
}

/// Looks after the Secrets of grants that are gone, while this process leads.
pub(crate) struct Sweep {
    client: Client,
    writer: Writer,
    synced: Synced,
    index: Arc<Index>,
    grants: Grants,
    fence: Fence,
    metrics: Metrics,
    wake: Arc<Notify>,
}

impl Sweep {
    /// `wake` is told when a grant goes or a Secret changes.
    pub(crate) fn new<S>(context: &Context<S>, wake: Arc<Notify>) -> Self {
        Self {
            client: context.client.clone(),
            writer: context.writer.clone(),
            synced: context.synced.clone(),
            index: context.index.clone(),
            grants: context.grants.clone(),
            fence: context.fence.clone(),
            metrics: context.metrics.clone(),
            wake,
        }
    }

    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut leading = self.fence.leading();
        let mut retries = Retries::default();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = self.synced.wait() => {}
        }
        loop {
            let wait = if self.fence.is_open() {
                self.pass(clock::now(), &mut retries).await
            } else {
                AT_LEAST_EVERY
            };
            let heard = async {
                tokio::time::sleep(AT_SOONEST).await;
                tokio::select! {
                    () = self.wake.notified() => {}
                    // Fails only when the sender, which the fence holds, is dropped.
                    _ = leading.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = heard => {}
            }
        }
    }

    /// Looks at all whose time it is; gives the time until the next is due.
    async fn pass(&self, now: Timestamp, retries: &mut Retries) -> Duration {
        let orphans = self
            .index
            .pick(|(namespace, _), facts| !self.is_cached(namespace, facts));
        retries.keep(&orphans.iter().map(|(key, _)| key).collect());
        let mut wait = AT_LEAST_EVERY;
        let mut until = |at: Timestamp| wait = wait.min(clock::until(at, now));
        let (waiting, due): (Vec<_>, Vec<_>) = orphans
            .into_iter()
            .map(|(key, facts)| (retries.waits(&key, now), key, facts))
            .partition(|(waits, ..)| waits.is_some());
        waiting.iter().filter_map(|own| own.0).for_each(&mut until);
        let steps = stream::iter(due)
            .map(|(_, key, facts)| async move {
                let step = self.tend(&key.0, &key.1, &facts, now).await;
                (step, key, facts)
            })
            .buffer_unordered(CONCURRENCY);
        let mut steps = std::pin::pin!(steps);
        while let Some((step, key, facts)) = steps.next().await {
            match step {
                Ok(Tended::Until(due)) => {
                    retries.worked(&key);
                    due.into_iter().for_each(&mut until);
                }
                // Somebody's finalizer may keep it.
                Ok(Tended::Removed) => until(retries.failed(key, now)),
                Err(SweepError::Secret(WriteError::Fenced(_))) => {}
                Err(error) => {
                    let again_at = retries.failed(key.clone(), now);
                    until(again_at);
                    tell(&error, &key, &facts, again_at);
                }
            }
        }
        wait
    }

    /// One Secret.
    async fn tend(
        &self,
        namespace: &str,
        name: &str,
        known: &Facts,
        now: Timestamp,
    ) -> Result<Tended, SweepError> {
        // 1. By what is cached: most are emptied already, and wait.
        if let Step::Wait(until) = plan(known, false, now) {
            return Ok(Tended::Until(Some(until)));
        }
        // 2. Caches may be behind, and a session that is taken away by mistake is an outage: ask.
        let Some(live) = self.writer.look_at_session(namespace, name).await? else {
            return Ok(Tended::Until(None));
        };
        let Ok(facts) = live.facts() else {
            return Ok(Tended::Until(None));
        };
        let lives = self.lives(namespace, &facts).await?;
        // 3. One step, if the Secret is still as it was just now.
        match plan(&facts, lives, now) {
            Step::Leave => Ok(Tended::Until(None)),
            Step::Wait(until) => Ok(Tended::Until(Some(until))),
            Step::Empty => {
                let revocation = deleted(namespace, &facts.grant);
                let body = body::orphaned(namespace, name, &facts, revocation, now);
                let writing = self.index.writing(namespace, name);
                let written = self
                    .writer
                    .replace(&live, &body, Since::SameVersion)
                    .await?;
                writing.done(written);
                self.metrics.taken_away(reason::DELETED);
                tracing::info!(
                    namespace,
                    secret = name,
                    grant = facts.grant,
                    "took the session of a deleted grant away"
                );
                Ok(Tended::Until(Some(now)))
            }
            Step::Remove => {
                self.writer.remove(&live).await?;
                tracing::info!(
                    namespace,
                    secret = name,
                    grant = facts.grant,
                    "removed the Secret of a deleted grant"
                );
                Ok(Tended::Removed)
            }
        }
    }

    fn is_cached(&self, namespace: &str, facts: &Facts) -> bool {
        let key = ObjectRef::new(&facts.grant).within(namespace);
        let found = self.grants.get(&key);
        found.is_some_and(|grant| grant.uid().as_deref() == Some(&facts.grant_uid))
    }

    async fn lives(&self, namespace: &str, facts: &Facts) -> Result<bool, SweepError> {
        let api: Api<AwsGrant> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_metadata_opt(&facts.grant).await;
        let found = found.map_err(|source| SweepError::Grant {
            grant: format!("{namespace}/{}", facts.grant),
            source,
        })?;
        Ok(found.is_some_and(|grant| grant.meta().uid.as_deref() == Some(&facts.grant_uid)))
    }
}

fn tell(error: &SweepError, (namespace, name): &Key, facts: &Facts, again_at: Timestamp) {
    if let SweepError::Secret(WriteError::Raced { .. }) = error {
        tracing::debug!(%error, namespace, secret = name, "looked at again");
        return;
    }
    tracing::error!(
        %error,
        namespace,
        secret = name,
        grant = facts.grant,
        %again_at,
        "the Secret of a deleted grant was not looked after"
    );
}

fn deleted(namespace: &str, grant: &str) -> Revocation {
    Revocation {
        reason: reason::DELETED.to_owned(),
        message: format!(
            "AwsGrant {namespace}/{grant} was deleted: create it again, or remove it from the pod's annotation"
        ),
    }
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
