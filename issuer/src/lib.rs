//! Obtains a session for a decided request: source credentials, single flight, the STS budget.
//!
//! Whether a grant may have what it asks for is decided before, by `alter-policy`.

mod bucket;
mod clients;
pub mod error;
mod flight;
pub mod lookup;
pub mod metrics;
pub mod request;
mod secret;

pub use alter_aws::{Assumed as Issued, Caller};
pub use error::{IssueError, Retry};
pub use metrics::Metrics;

use alter_aws::{Class, RoleRequest, Sts, StsError};
use alter_crds::{AwsGrant, AwsIdentity};
use clients::{Clients, Connection, Slot, Target};
use flight::Flights;
use kube::ResourceExt;
use metrics::Operation;
use std::sync::Arc;
use tokio::time::Instant;

/// How an issuer is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's own namespace, where the Secrets with access keys are.
    pub namespace: String,
    /// The cluster's name in templates and tags; may be empty.
    pub cluster: String,
    /// STS calls a second that each identity may make in the long run.
    pub rate: f64,
    /// STS calls that each identity may make at once; at least one.
    pub burst: u32,
}

/// Turns a grant and its identity into a session. Clones are the same issuer.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

struct Inner {
    clients: Clients,
    cluster: String,
    flights: Flights<(String, String), Result<Issued, IssueError>>,
    metrics: Metrics,
}

impl Issuer {
    /// Calls nobody yet.
    #[must_use]
    pub fn new(client: kube::Client, options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                clients: Clients::new(client, &options),
                cluster: options.cluster,
                flights: Flights::default(),
                metrics: Metrics::default(),
            }),
        }
    }

    /// What the issuer counts; register it once.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// `sts:GetCallerIdentity`. Reads the identity's Secret anew, so that a missing or changed one shows.
    pub async fn identify(&self, identity: &AwsIdentity) -> Result<Caller, IssueError> {
        let target = Target::of(identity);
        let slot = self.inner.clients.slot(&target.identity);
        let connection = self.inner.clients.current(&target, &slot).await?;
        let ask = |sts: Sts| async move { sts.caller_identity().await };
        let operation = Operation::GetCallerIdentity;
        self.inner
            .call(&target, &slot, connection, operation, ask)
            .await
    }

    /// `sts:AssumeRole` with what identity and grant ask for.
    ///
    /// Concurrent calls for the same grant and the same input share one call. Waits for the identity's
    /// budget. A source that AWS refuses is read once more, so that a rotated key is picked up.
    pub async fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
    ) -> Result<Issued, IssueError> {
        let request = request::plan(&identity.spec, grant, &self.inner.cluster)?;
        let name = || {
            format!(
                "{}/{}",
                grant.namespace().unwrap_or_default(),
                grant.name_any()
            )
        };
        let uid = grant.uid().unwrap_or_else(name);
        let key = (uid, request::digest(identity, &request));
        let (inner, target) = (self.inner.clone(), Target::of(identity));
        self.inner
            .flights
            .join(key, || async move { inner.assume(&target, &request).await })
            .await
    }

    /// Forgets the source credentials and the client of an identity, whose Secret or spec changed. Its
    /// budget stays.
    pub fn forget(&self, identity: &str) {
        self.inner.clients.forget(identity);
    }
}

impl Inner {
    async fn assume(&self, target: &Target, request: &RoleRequest) -> Result<Issued, IssueError> {
        let slot = self.clients.slot(&target.identity);
        let connection = self.clients.cached(target, &slot).await?;
        let ask = |sts: Sts| {
            let request = request.clone();
            async move { sts.assume_role(&request).await }
        };
        self.call(target, &slot, connection, Operation::AssumeRole, ask)
            .await
    }

    /// Makes a call, and once more where AWS refused a source that has changed since.
    async fn call<T, F>(
        &self,
        target: &Target,
        slot: &Slot,
        connection: Connection,
        operation: Operation,
        ask: impl Fn(Sts) -> F,
    ) -> Result<T, IssueError>
    where
        F: Future<Output = Result<T, StsError>>,
    {
        let failed = |source| IssueError::sts(&target.identity, source);
        let once = |connection: &Connection| {
            let call = ask(connection.sts.clone());
            self.once(target, slot, operation, call)
        };
        let error = match once(&connection).await {
            Err(error) if error.class() == Class::SourceRejected => error,
            answer => return answer.map_err(failed),
        };
        let Some(renewed) = self.clients.renew(target, slot, &connection).await? else {
            return Err(failed(error));
        };
        tracing::info!(
            identity = target.identity,
            "AWS refused the access key, and the Secret holds another: trying that"
        );
        once(&renewed).await.map_err(failed)
    }

    /// Waits for the budget, makes one call, and counts it.
    async fn once<T>(
        &self,
        target: &Target,
        slot: &Slot,
        operation: Operation,
        call: impl Future<Output = Result<T, StsError>>,
    ) -> Result<T, StsError> {
        let asked = Instant::now();
        slot.bucket.take().await;
        let begun = Instant::now();
        self.metrics.waited(&target.identity, begun - asked);
        let answer = call.await;
        let class = answer.as_ref().err().map(StsError::class);
        self.metrics
            .called(&target.identity, operation, class, begun.elapsed());
        answer
    }
}

#[cfg(test)]
mod tests;
