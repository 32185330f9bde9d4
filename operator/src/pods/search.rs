//! The search for pods that ask for a grant and run without their agent.
//!
//! A list in pages, and no watch: an annotation cannot be selected, so a watch would bring every change of every pod of
//! the cluster, for what comes about only where the webhook was away.

use super::{
    evict::{Candidate, EvictError, Evictions, Outcome, evict},
    orphans::{Found, Kind, Roll, in_status},
    seen::Seen,
};
use crate::{
    clock,
    context::Context,
    events::News,
    grant::{
        cache::{GrantName, name_of, named},
        controller::bring,
    },
    lease::Fenced,
};
use alter_crds::{
    answer::InWords,
    condition::reason,
    names::pod::{AGENT_CONTAINER, INJECTED, LIVING},
};
use alter_runtime::watch::PAGE;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::{
    Client, Error, Resource,
    api::{GetParams, ListParams},
    core::Request,
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A pass that failed is made again after this, or sooner where passes are closer.
const RETRY: Duration = Duration::from_mins(1);

/// What a pod's author reads.
const MISSING: &str = "annotation alter.dev/grant asks for a session, and the pod has no agent that would get one: it was \
    created while Alter's webhook was away, or annotated later. Delete the pod, so that it is created again and the \
    webhook gives it its agent";
const EVICTED: &str = "the pod ran without Alter's agent: it is evicted, so that another is created in its place and the \
    webhook gives that its agent";

/// How the installation has it.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Between two passes.
    pub(crate) every: Duration,
    /// Evicts orphans, where that is asked for; does not repeat what was refused.
    pub(crate) evictor: Option<Client>,
}

/// Why a pass came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// A page of pods was not to be had.
    #[error("cannot list pods: {}; check that the operator may list them", InWords(.0))]
    List(#[source] Error),
    /// A pod could not be looked at.
    #[error("cannot look at pod {pod}: {}; check that the operator may get pods", InWords(.source))]
    Get {
        /// Namespace and name.
        pod: String,
        /// What the API server said.
        source: Error,
    },
}

/// Looks for orphans while this process leads.
pub(crate) struct Search<S> {
    context: Arc<Context<S>>,
    settings: Settings,
    roll: Roll,
    evictions: Evictions,
}

/// What of a pod tells whether it has an agent.
#[derive(Deserialize)]
struct Whole {
    metadata: WholeMetadata,
    spec: WholeSpec,
}

#[derive(Deserialize)]
struct WholeMetadata {
    uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WholeSpec {
    #[serde(default)]
    init_containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
}

impl<S> Search<S> {
    pub(crate) fn new(context: Arc<Context<S>>, settings: Settings) -> Self {
        Self {
            context,
            settings,
            roll: Roll::default(),
            evictions: Evictions::default(),
        }
    }

    /// Runs until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut leading = self.context.fence.leading();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = self.context.synced.wait() => {}
        }
        loop {
            let wait = if self.context.fence.is_open() {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    wait = self.pass_or_retry() => wait,
                }
            } else {
                self.forget();
                self.settings.every
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Fails only when the sender, which the fence holds, is dropped.
                _ = leading.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn pass_or_retry(&mut self) -> Duration {
        match self.pass().await {
            Ok(()) => self.settings.every,
            Err(error) => {
                tracing::warn!(%error, "the search for pods without their agent failed");
                self.settings.every.min(RETRY)
            }
        }
    }

    /// What another leader finds is not known here.
    fn forget(&mut self) {
        self.context.users.found_unlabelled(None);
        self.context.orphans.set(None);
        self.context.metrics.orphaned(0);
    }

    /// Looks at all pods without the label.
    async fn pass(&mut self) -> Result<(), SearchError> {
        // 1. Who of them has no agent.
        let (mut found, mut candidates) = (Found::default(), Vec::new());
        for api in self.context.scope.apis::<Seen>(&self.context.client) {
            let mut params = ListParams::default()
                .labels(&format!("!{INJECTED}"))
                .fields(LIVING)
                .limit(PAGE);
            loop {
                let page = api.list(&params).await.map_err(SearchError::List)?;
                for pod in page.items {
                    if self.judge(&pod, &mut found).await == Some(Kind::Orphan) {
                        let wanted = self.settings.evictor.is_some();
                        candidates.extend(wanted.then(|| Candidate::of(&pod)).flatten());
                    }
                }
                let next = page.metadata.continue_;
                match next.filter(|token| !token.is_empty()) {
                    Some(token) => params.continue_token = Some(token),
                    None => break,
                }
            }
        }
        // 2. Tell.
        self.roll.keep(&mut found);
        self.tell(found);
        // 3. Evict some, where that is asked for.
        if let Some(client) = self.settings.evictor.clone() {
            for candidate in self.evictions.choose(candidates, clock::now()) {
                self.evict(&client, &candidate).await;
            }
        }
        Ok(())
    }

    /// What a pod is, if it counts; one that is found to be an orphan for the first time is told of.
    async fn judge(&self, pod: &Seen, found: &mut Found) -> Option<Kind> {
        if !pod.should_have_an_agent() {
            return None;
        }
        let known = self.roll.of(pod);
        let kind = match known {
            Some(kind) => kind,
            None => match self.look(pod).await {
                Ok(kind) => kind?,
                Err(error) => {
                    tracing::warn!(%error, "whether the pod has its agent is not known");
                    found.spare(pod, |name| self.is_there(name));
                    return None;
                }
            },
        };
        self.roll
            .count(pod, kind, found, |name| self.is_there(name));
        if kind == Kind::Orphan && known.is_none() {
            tracing::warn!(
                namespace = pod.namespace(),
                pod = pod.name(),
                "the pod asks for a grant and runs without Alter's agent"
            );
            let news = News {
                warning: true,
                reason: reason::AGENT_MISSING.to_owned(),
                message: MISSING.to_owned(),
            };
            self.publish(&pod.reference(), news).await;
        }
        Some(kind)
    }

    /// Asks for the pod itself; none where it is gone.
    async fn look(&self, pod: &Seen) -> Result<Option<Kind>, SearchError> {
        let failed = |source| SearchError::Get {
            pod: format!("{}/{}", pod.namespace(), pod.name()),
            source,
        };
        let request = Request::new(Pod::url_path(&(), Some(pod.namespace())));
        let request = request.get(pod.name(), &GetParams::default());
        let request = request.map_err(|source| failed(Error::BuildRequest(source)))?;
        match self.context.client.request::<Whole>(request).await {
            Ok(whole) if whole.metadata.uid.as_deref() != Some(pod.uid()) => Ok(None),
            Ok(whole) => Ok(Some(whole.kind())),
            Err(Error::Api(answer)) if answer.code == 404 => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }

    fn tell(&self, found: Found) {
        let Found {
            total,
            orphans,
            used,
            ..
        } = found;
        let context = &self.context;
        context.metrics.orphaned(total);
        context.orphans.set(Some(orphans));
        let others_use = context.users.found_unlabelled(Some(used));
        bring(context, |grant| {
            let counted = context.orphans.of(&name_of(grant));
            (others_use && grant.pauses) || grant.orphaned_pods != in_status(counted, None)
        });
    }

    async fn evict(&mut self, client: &Client, candidate: &Candidate) {
        let (namespace, pod) = (&candidate.namespace, &candidate.name);
        match evict(client, &self.context.fence, candidate).await {
            Ok(Outcome::Evicted) => {
                tracing::info!(namespace, pod, "evicted a pod without Alter's agent");
                self.evictions.evicted(candidate, clock::now());
                self.context.metrics.orphan_evicted();
                let news = News {
                    warning: false,
                    reason: reason::ORPHAN_EVICTED.to_owned(),
                    message: EVICTED.to_owned(),
                };
                self.publish(&candidate.reference(), news).await;
            }
            Ok(Outcome::NotNow) => {
                tracing::info!(namespace, pod, "a disruption budget keeps the pod for now");
            }
            Ok(Outcome::Gone) | Err(EvictError::Fenced(Fenced::NotLeading)) => {}
            Err(error) => tracing::warn!(%error, "a pod without its agent was not evicted"),
        }
    }

    async fn publish(&self, pod: &ObjectReference, news: News) {
        let publisher = &self.context.publisher;
        publisher.publish(pod, &[news], clock::now()).await;
    }

    fn is_there(&self, grant: &GrantName) -> bool {
        named(grant).is_some_and(|key| self.context.grants.get(&key).is_some())
    }
}

impl Whole {
    fn kind(&self) -> Kind {
        let mut names = self.spec.init_containers.iter();
        if names.any(|own| own.name == AGENT_CONTAINER) {
            Kind::Unlabelled
        } else {
            Kind::Orphan
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
