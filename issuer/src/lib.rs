//! Obtains a session for a decided request: source credentials, single flight, the STS budget.
//!
//! Whether a grant may have what it asks for is decided before, by `alter-policy`.

mod bucket;
mod calls;
mod clients;
mod clock;
pub mod digest;
mod enter;
pub mod error;
mod flight;
mod hops;
pub mod lookup;
pub mod metrics;
pub mod request;
mod retry;
pub mod revoke;
mod secret;
mod slot;
mod target;
mod term;
mod token;

pub use alter_aws::{Assumed as Issued, Caller};
pub use error::{IssueError, Retry};
pub use metrics::Metrics;
pub use request::{Pod, RequestError};
pub use revoke::RevokeError;

use alter_aws::{Assumed, Class, Entry, RoleRequest, StsError};
use alter_crds::{AwsGrant, AwsIdentity, revocation::Order};
use bucket::OWN;
use clients::Clients;
use flight::Flights;
use hops::{Hop, Site};
use kube::ResourceExt;
use metrics::Operation;
use request::SessionRequest;
use revoke::Revocations;
use slot::{Connection, Slot};
use std::sync::Arc;
use target::{Target, Way};

/// How an issuer is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's own namespace, where the identities' Secrets and service accounts are.
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
    revocations: Revocations,
    metrics: Metrics,
}

impl Issuer {
    /// Calls nobody yet.
    #[must_use]
    pub fn new(client: kube::Client, options: Options) -> Self {
        let metrics = Metrics::default();
        Self {
            inner: Arc::new(Inner {
                clients: Clients::new(client, &options, metrics.clone()),
                cluster: options.cluster,
                flights: Flights::default(),
                revocations: Revocations::default(),
                metrics,
            }),
        }
    }

    /// What the issuer counts; register it once.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// `sts:GetCallerIdentity`. Reads the identity's source anew, so that a missing or changed one shows.
    pub async fn identify(&self, identity: &AwsIdentity) -> Result<Caller, IssueError> {
        let target = Target::of(identity);
        let slot = self.inner.clients.slot(&target.identity);
        let connection = self.inner.clients.current(&target, &slot).await?;
        let inner = &self.inner;
        let ask = |connection: Connection| {
            let caller = inner.clients.caller(&target, &slot, OWN);
            let sts = connection.sts;
            async move {
                let operation = Operation::GetCallerIdentity;
                caller.once(operation, sts.caller_identity()).await
            }
        };
        let asked = inner.call(&target, &slot, connection.clone(), &[], ask);
        let caller = asked.await?;
        slot.held.lock().await.note(&connection, &caller);
        Ok(caller)
    }

    /// The session that identity and grant ask for: of a role by `sts:AssumeRole`, through the roles before it;
    /// where the role is the identity's own, by entering that directly; without a role by
    /// `sts:GetFederationToken` or `sts:GetSessionToken`. All pods of the grant share it.
    ///
    /// Concurrent calls for the same grant and the same input share one. Each call waits for the identity's
    /// budget. A source that AWS refuses is read once more, so that a rotated key is picked up.
    pub async fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
    ) -> Result<Issued, IssueError> {
        self.obtain(identity, grant, None).await
    }

    /// As [`Issuer::issue`], for one pod: what names none is the same for all of them.
    pub async fn issue_for(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
        pod: Pod<'_>,
    ) -> Result<Issued, IssueError> {
        self.obtain(identity, grant, Some(pod)).await
    }

    async fn obtain(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
        pod: Option<Pod<'_>>,
    ) -> Result<Issued, IssueError> {
        let request = request::plan(identity, grant, &self.inner.cluster, pod)?;
        let name = || {
            format!(
                "{}/{}",
                grant.namespace().unwrap_or_default(),
                grant.name_any()
            )
        };
        let uid = grant.uid().unwrap_or_else(name);
        let key = (uid, digest::digest(identity, &request));
        let lane = grant.namespace().unwrap_or_default();
        let (inner, target) = (self.inner.clone(), Target::of(identity));
        let direct = identity.spec.enters_directly(&grant.spec);
        let work = || async move {
            match &request {
                SessionRequest::Role { role, .. } if direct => {
                    inner.enter(&target, &lane, role).await
                }
                request => inner.obtain(&target, &lane, request).await,
            }
        };
        self.inner.flights.join(key, work).await
    }

    /// Has AWS deny the sessions that the order names: assumes the identity's role for revocations, and edits the
    /// policy on the grant's role, one edit of a policy at a time. What it says already is not written again.
    ///
    /// Each of the three calls waits for the identity's budget.
    pub async fn revoke(&self, identity: &AwsIdentity, order: &Order) -> Result<(), RevokeError> {
        self.inner.revoke(&Target::of(identity), order).await
    }

    /// Forgets the source credentials and the client of an identity, whose Secret or spec changed. Its
    /// budget stays.
    pub fn forget(&self, identity: &str) {
        self.inner.clients.forget(identity);
    }
}

impl Inner {
    async fn obtain(
        &self,
        target: &Target,
        lane: &str,
        request: &SessionRequest,
    ) -> Result<Issued, IssueError> {
        let slot = self.clients.slot(&target.identity);
        let connection = self.clients.cached(target, &slot).await?;
        let caller = self.clients.caller(target, &slot, lane);
        let ask = |connection| self.ask(target, caller, connection, request);
        let hops: &[RoleRequest] = match request {
            SessionRequest::Role { hops, .. } => hops,
            SessionRequest::Federated { .. } | SessionRequest::Full { .. } => &[],
        };
        self.call(target, &slot, connection, hops, ask).await
    }

    /// The calls that a session takes, one after the other.
    async fn ask(
        &self,
        target: &Target,
        caller: calls::Caller<'_>,
        connection: Connection,
        request: &SessionRequest,
    ) -> Result<Assumed, StsError> {
        let sts = connection.sts;
        match request {
            SessionRequest::Role { hops, role } => {
                let site = Site {
                    region: &target.region,
                    endpoint: target.endpoint.as_deref(),
                };
                let start = Hop::start(sts, connection.source_identity);
                // The hops' sessions serve other namespaces too, which wait for them meanwhile.
                let own = calls::Caller {
                    lane: OWN,
                    ..caller
                };
                let assume = |sts, request| own.assume(sts, request);
                let last = connection.hops.walk(start, hops, &site, assume).await?;
                let mut role = role.clone();
                // AWS refuses to change it.
                role.source_identity = role
                    .source_identity
                    .filter(|_| last.source_identity.is_none());
                caller.assume(last.sts, role).await
            }
            SessionRequest::Federated { request, .. } => {
                let operation = Operation::GetFederationToken;
                caller.once(operation, sts.federation_token(request)).await
            }
            SessionRequest::Full {
                user,
                duration_seconds,
            } => {
                let call = sts.session_token(user, *duration_seconds);
                caller.once(Operation::GetSessionToken, call).await
            }
        }
    }

    /// Enters the identity's own role as a grant asks.
    async fn enter(
        &self,
        target: &Target,
        lane: &str,
        request: &RoleRequest,
    ) -> Result<Issued, IssueError> {
        let Way::OwnRole(own) = target.way()? else {
            return Err(IssueError::NoSource {
                identity: target.identity.clone(),
            });
        };
        // Taken apart, so that a parameter that is added is thought of in `enters_directly` too: none of those
        // that are left out here is set.
        let RoleRequest {
            role_arn,
            session_name,
            duration_seconds,
            external_id: _,
            source_identity: _,
            tags: _,
            policy,
        } = request;
        let entry = Entry {
            role_arn: role_arn.clone(),
            session_name: session_name.clone(),
            duration_seconds: Some(*duration_seconds),
            policy: policy.clone(),
        };
        let slot = self.clients.slot(&target.identity);
        let failed = |identity, source| IssueError::Entry { identity, source };
        let caller = self.clients.caller(target, &slot, lane);
        let clients = &self.clients;
        clients
            .enter(target, &slot, caller, own, &entry, failed)
            .await
    }

    /// Asks, and once more where AWS refused a source that has changed since, or a session that was obtained
    /// on the way some time ago.
    async fn call<T, F>(
        &self,
        target: &Target,
        slot: &Slot,
        connection: Connection,
        hops: &[RoleRequest],
        ask: impl Fn(Connection) -> F,
    ) -> Result<T, IssueError>
    where
        F: Future<Output = Result<T, StsError>>,
    {
        let failed = |source| IssueError::sts(&target.identity, source);
        let error = match ask(connection.clone()).await {
            Err(error) if error.class() == Class::SourceRejected => error,
            answer => return answer.map_err(failed),
        };
        let forgot = connection.hops.forget(hops);
        let renewed = self.clients.renew(target, slot, &connection).await?;
        let Some(other) = renewed.or_else(|| forgot.then_some(connection)) else {
            return Err(failed(error));
        };
        tracing::info!(
            identity = target.identity,
            "AWS refused the credentials, and there are others: trying those"
        );
        ask(other).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests;
