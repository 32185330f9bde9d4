//! Who AWS takes the broker for, in the status of each identity that it serves: with `ambient` another principal than
//! the operator's, and the trust policies of the teams' roles must name both.
//!
//! Every replica writes, without an election: those of one Deployment are one principal, and a principal that stands
//! there already is not written again. Where they differ, as while a new one is rolled out, the last to have asked
//! AWS writes, and the other leaves that until it asks the next time.

use crate::{bells::Bell, clock, cluster::Cluster};
use alter_crds::{
    AwsIdentity,
    answer::InWords,
    condition::{self, READY},
    identity::AllowedStore,
    names::field_manager,
};
use alter_issuer::{Caller, IssueError, Issuer, Retry};
use alter_policy::{caller::principal, spread::spread};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use std::{collections::HashMap, future::Future, time::Duration};
use tokio_util::sync::CancellationToken;

/// An answer of AWS counts for so long.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Identities are few, and each may wait for AWS.
const CONCURRENCY: usize = 8;
/// After the API server refused the write.
const UNWRITTEN: Retry = Retry::Backoff {
    first: Duration::from_secs(5),
    max: Duration::from_mins(5),
};

/// Why the status does not say who the broker is.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    /// AWS did not say.
    #[error(transparent)]
    Identify(#[from] IssueError),
    /// The API server did not take it.
    #[error(
        "cannot write status.brokerArn of AwsIdentity {identity}: {}; check that the broker may patch awsidentities/status",
        InWords(.source)
    )]
    Write {
        /// Its name.
        identity: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// Who knows how AWS sees the broker: the issuer, and in tests a script.
pub(crate) trait Identify: Send + Sync + 'static {
    /// `sts:GetCallerIdentity`.
    fn identify(
        &self,
        identity: &AwsIdentity,
    ) -> impl Future<Output = Result<Caller, IssueError>> + Send;
}

impl Identify for Issuer {
    async fn identify(&self, identity: &AwsIdentity) -> Result<Caller, IssueError> {
        Self::identify(self, identity).await
    }
}

/// Keeps the broker's principal in the identities' status.
pub(crate) struct Keeper<S> {
    identities: Api<AwsIdentity>,
    source: S,
    /// By the identity's name.
    known: HashMap<String, Known>,
}

/// What came of the last look at an identity.
#[derive(Clone, Debug)]
struct Known {
    of: Version,
    /// Who AWS said the broker is; none where that failed, or could not be written.
    arn: Option<String>,
    failures: u32,
    /// When to ask again, if nothing changes.
    again: Timestamp,
}

/// What the answer depends on, as far as it shows: the spec, and with a rotated key the operator's principal.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    uid: Option<String>,
    generation: Option<i64>,
    since: Option<Time>,
}

/// What is to be done about an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Wait,
    /// Ask AWS, and tell what is new.
    Ask,
    /// Write this again: the operator, which writes the rest of the status, had not seen it yet.
    Tell(String),
}

impl<S: Identify> Keeper<S> {
    /// Knows nothing yet.
    pub(crate) fn new(client: Client, source: S) -> Self {
        Self {
            identities: Api::all(client),
            source,
            known: HashMap::new(),
        }
    }

    /// Runs until `shutdown`.
    pub(crate) async fn run(mut self, cluster: &Cluster, shutdown: CancellationToken) {
        let listener = cluster.bells.listen(vec![Bell::Identities]);
        tokio::select! {
            () = cluster.warm() => {}
            () = shutdown.cancelled() => return,
        }
        loop {
            let all = cluster.identities();
            let decoded = all.iter().filter_map(|own| own.0.as_ref().ok());
            self.pass(decoded.filter(|own| is_served(own)).collect())
                .await;
            let next = self.known.values().map(|own| own.again).min();
            let wait = next.map_or(FRESH.unsigned_abs(), |at| clock::until(at, clock::now()));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = listener.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One look at each of the identities that are served.
    async fn pass(&mut self, served: Vec<&AwsIdentity>) {
        let mut known = std::mem::take(&mut self.known);
        let keeper = &*self;
        let looks = served.into_iter().map(|identity| {
            let name = identity.name_any();
            let before = known.remove(&name);
            async move { (name, keeper.look(identity, before).await) }
        });
        let looks: Vec<_> = looks.collect();
        // Those that are served no more are forgotten.
        let known = stream::iter(looks).buffer_unordered(CONCURRENCY);
        self.known = known.collect().await;
    }

    async fn look(&self, identity: &AwsIdentity, before: Option<Known>) -> Known {
        let failures = before.as_ref().map_or(0, |own| own.failures);
        let kept = match (step(identity, before.as_ref(), clock::now()), before) {
            (Step::Wait, Some(before)) => return before,
            (Step::Tell(arn), Some(before)) => self.tell(identity, arn, before.again).await,
            _ => self.ask(identity).await,
        };
        kept.unwrap_or_else(|error| failed(identity, failures + 1, &error))
    }

    async fn ask(&self, identity: &AwsIdentity) -> Result<Known, KeepError> {
        let caller = self.source.identify(identity).await?;
        let again = clock::now() + FRESH;
        self.tell(identity, caller.arn, again).await
    }

    /// Writes the one field where something else stands there, whoever wrote that.
    async fn tell(
        &self,
        identity: &AwsIdentity,
        arn: String,
        again: Timestamp,
    ) -> Result<Known, KeepError> {
        if is_news(identity, &arn) {
            let name = identity.name_any();
            let status = json!({
                "apiVersion": AwsIdentity::api_version(&()),
                "kind": AwsIdentity::kind(&()),
                "metadata": {"name": name},
                "status": {"brokerArn": arn},
            });
            let params = PatchParams::apply(field_manager::BROKER_STATUS).force();
            let patch = Patch::Apply(&status);
            let written = self.identities.patch_status(&name, &params, &patch).await;
            written.map_err(|source| KeepError::Write {
                identity: name.clone(),
                source,
            })?;
            tracing::info!(identity = name, arn, "AWS knows the broker");
        }
        Ok(Known {
            of: Version::of(identity),
            arn: Some(arn),
            failures: 0,
            again,
        })
    }
}

impl KeepError {
    fn category(&self) -> &'static str {
        match self {
            Self::Identify(error) => error.category(),
            Self::Write { .. } => "StatusNotWritten",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Identify(error) => error.retry(),
            Self::Write { .. } => UNWRITTEN,
        }
    }
}

impl Version {
    fn of(identity: &AwsIdentity) -> Self {
        Self {
            uid: identity.uid(),
            generation: identity.metadata.generation,
            since: identity.status.as_ref().and_then(|own| own.since.clone()),
        }
    }
}

/// Whether the broker gives sessions through it: a rule says so, and the operator found it ready.
fn is_served(identity: &AwsIdentity) -> bool {
    let mut rules = identity.spec.allow.iter();
    identity.metadata.deletion_timestamp.is_none()
        && rules.any(|rule| rule.stores.contains(&AllowedStore::Broker))
        && identity.status.as_ref().is_some_and(|status| {
            status.observed_generation == identity.metadata.generation
                && condition::is_true(&status.conditions, READY)
        })
}

fn step(identity: &AwsIdentity, known: Option<&Known>, now: Timestamp) -> Step {
    let Some(known) = known.filter(|own| own.of == Version::of(identity) && now < own.again) else {
        return Step::Ask;
    };
    match &known.arn {
        Some(arn) if stands(identity).is_none() => Step::Tell(arn.clone()),
        _ => Step::Wait,
    }
}

fn is_news(identity: &AwsIdentity, arn: &str) -> bool {
    stands(identity).is_none_or(|own| principal(own) != principal(arn))
}

fn stands(identity: &AwsIdentity) -> Option<&str> {
    identity.status.as_ref()?.broker_arn.as_deref()
}

fn failed(identity: &AwsIdentity, failures: u32, error: &KeepError) -> Known {
    let name = identity.name_any();
    tracing::warn!(
        identity = name,
        reason = error.category(),
        %error,
        "status.brokerArn was not kept"
    );
    let spread = spread(&name, &failures.to_be_bytes());
    Known {
        of: Version::of(identity),
        arn: None,
        failures,
        again: clock::now() + error.retry().wait(failures, spread),
    }
}

#[cfg(test)]
#[path = "principal_tests.rs"]
mod tests;
