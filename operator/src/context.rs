//! What both controllers work with.

use crate::{
    backoff::Stumbles,
    clock,
    due::Due,
    events::{News, Publisher},
    failures::Failures,
    grant::{Grants, allowance::Allowances, told::Told, turns::Turns},
    lease::Fence,
    metrics::Metrics,
    pods::{Orphans, Users},
    revocation::Revocations,
    session_secret::{Index, Writer},
    watch::{Guarded, Identities, Namespaces, Synced},
};
use alter_crds::{AwsGrant, AwsIdentity, condition::reason, revocation::Order};
use alter_issuer::{Caller, IssueError, Issued, Issuer, RevokeError};
use alter_runtime::watch::Scope;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, runtime::reflector::ObjectRef};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Notify, mpsc};

/// Where sessions come from: the issuer, and in tests a script.
pub(crate) trait Sessions: Send + Sync + 'static {
    /// `sts:AssumeRole`.
    fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
    ) -> impl Future<Output = Result<Issued, IssueError>> + Send;
    /// `sts:GetCallerIdentity`.
    fn identify(
        &self,
        identity: &AwsIdentity,
    ) -> impl Future<Output = Result<Caller, IssueError>> + Send;
    /// `iam:PutRolePolicy`, by the identity's role for it.
    fn revoke(
        &self,
        identity: &AwsIdentity,
        order: &Order,
    ) -> impl Future<Output = Result<(), RevokeError>> + Send;
    /// The identity's source changed.
    fn forget(&self, identity: &str);
}

impl Sessions for Issuer {
    async fn issue(&self, identity: &AwsIdentity, grant: &AwsGrant) -> Result<Issued, IssueError> {
        Self::issue(self, identity, grant).await
    }

    async fn identify(&self, identity: &AwsIdentity) -> Result<Caller, IssueError> {
        Self::identify(self, identity).await
    }

    async fn revoke(&self, identity: &AwsIdentity, order: &Order) -> Result<(), RevokeError> {
        Self::revoke(self, identity, order).await
    }

    fn forget(&self, identity: &str) {
        Self::forget(self, identity);
    }
}

/// Identities that AWS must be asked about again, whatever their status says.
#[derive(Debug)]
pub(crate) struct Rechecks {
    names: Mutex<HashSet<String>>,
    wake: mpsc::UnboundedSender<ObjectRef<Guarded<AwsIdentity>>>,
}

impl Rechecks {
    /// `wake` brings the identity to its controller.
    pub(crate) fn new(wake: mpsc::UnboundedSender<ObjectRef<Guarded<AwsIdentity>>>) -> Self {
        Self {
            names: Mutex::default(),
            wake,
        }
    }

    /// Asks for one.
    pub(crate) fn ask(&self, identity: &str) {
        if self.lock().insert(identity.to_owned()) {
            // Fails only when the controller has ended, as the program does.
            let _ = self.wake.send(ObjectRef::new(identity));
        }
    }

    /// Whether one was asked for.
    pub(crate) fn is_asked(&self, identity: &str) -> bool {
        self.lock().contains(identity)
    }

    /// It is being made.
    pub(crate) fn begun(&self, identity: &str) {
        self.lock().remove(identity);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What both controllers work with.
pub(crate) struct Context<S> {
    /// The API server.
    pub client: Client,
    /// Whether this process may write.
    pub fence: Fence,
    /// Sessions' Secrets.
    pub writer: Writer,
    /// Which caches have been filled.
    pub synced: Synced,
    /// What is known of sessions' Secrets.
    pub index: Arc<Index>,
    /// AWS.
    pub sessions: S,
    /// All grants.
    pub grants: Grants,
    /// All identities.
    pub identities: Identities,
    /// Labels of all namespaces, where they can be seen.
    pub namespaces: Namespaces,
    /// Which namespaces are watched.
    pub scope: Scope,
    /// What failed, and when to ask again; grants' and identities' by UID.
    pub failures: Failures,
    /// How often grants had a session of late.
    pub allowances: Allowances,
    /// Who asks AWS now.
    pub turns: Arc<Turns>,
    /// When grants are to be looked at again.
    pub due: Due,
    /// Grants' statuses that the cache does not hold yet.
    pub told: Told,
    /// What the API server failed.
    pub stumbles: Stumbles,
    /// What AWS was told of revocations.
    pub revocations: Revocations,
    /// Identities to be asked about.
    pub rechecks: Rechecks,
    /// Events.
    pub publisher: Publisher,
    /// Counts.
    pub metrics: Metrics,
    /// The cluster's name, for templates.
    pub cluster: String,
    /// Sessions are not renewed more often than this.
    pub min_interval: SignedDuration,
    /// Whether the installation has a broker.
    pub has_broker: bool,
    /// Which grants pods use.
    pub users: Users,
    /// Pods that run without their agent.
    pub orphans: Orphans,
    /// Rung when grants have changed, for who keeps what their namespaces need.
    pub grants_changed: Arc<Notify>,
}

impl<S> Context<S> {
    /// An event and a log line that name an object which cannot be decoded.
    pub(crate) async fn tell_undecodable(&self, regarding: &ObjectReference, error: &str) {
        let kind = regarding.kind.clone().unwrap_or_default();
        let (namespace, name) = (&regarding.namespace, &regarding.name);
        tracing::error!(
            kind,
            namespace,
            name,
            error,
            "the object cannot be read, and is left alone"
        );
        let news = [News {
            warning: true,
            reason: reason::INVALID_SPEC.to_owned(),
            message: format!(
                "the object cannot be read: {error}; correct it, and check that the CRDs are of the \
                 operator's version"
            ),
        }];
        self.publisher.publish(regarding, &news, clock::now()).await;
    }
}
