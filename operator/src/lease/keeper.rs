//! The calls to the API server that keep the Lease.

use super::{
    fence::Fence,
    state::{Candidate, DURATION, Record, Step},
};
use crate::clock;
use alter_crds::{answer::InWords, names::field_manager};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two renewals, and between two looks at another's Lease.
const EVERY: Duration = Duration::from_secs(3);
/// After a round that failed.
const RETRY: Duration = Duration::from_secs(1);
/// A round that takes longer has failed.
const ROUND: Duration = Duration::from_millis(2_500);

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// The Lease could not be read.
    #[error(
        "cannot read Lease {name}: {}; check that the operator may get leases in its namespace",
        InWords(.source)
    )]
    Get {
        /// The Lease.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The Lease could not be written.
    #[error(
        "cannot write Lease {name}: {}; check that the operator may create and update leases in its namespace",
        InWords(.source)
    )]
    Write {
        /// The Lease.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The API server did not answer.
    #[error("no answer about Lease {name} within {} ms; check the way to the API server", ROUND.as_millis())]
    Timeout {
        /// The Lease.
        name: String,
    },
}

/// Keeps the Lease, or waits for it.
pub(crate) struct Keeper {
    leases: Api<Lease>,
    lease: String,
    holder: String,
    fence: Fence,
}

impl Keeper {
    /// `client` must not retry by itself: a retry that outlives a round would write late.
    pub(crate) fn new(client: Client, namespace: &str, lease: String, holder: String) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            lease,
            holder,
            fence: Fence::new(),
        }
    }

    /// What opens while the Lease is this process's.
    pub(crate) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Runs until `shutdown`, then gives the Lease back.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut candidate = Candidate::new(self.holder.clone());
        let clock = Instant::now();
        loop {
            let pause = match self.bounded(self.round(&mut candidate, clock)).await {
                Ok(()) => EVERY,
                Err(error) => {
                    tracing::warn!(%error, leading = self.fence.is_open(), "the Lease was not renewed");
                    RETRY
                }
            };
            if !self.fence.is_open() {
                self.lost();
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.lost();
        if let Err(error) = self.bounded(self.release()).await {
            tracing::warn!(%error, "the Lease was not given back: another replica leads once it has lapsed");
        }
    }

    /// One look at the Lease, and a write where it is one's own or free.
    async fn round(&self, candidate: &mut Candidate, clock: Instant) -> Result<(), LeaseError> {
        let begun = Instant::now();
        let wall = clock::now();
        let found = self.get().await?;
        let record = found.as_ref().map(read);
        let step = candidate.decide(record.as_ref(), clock.elapsed());
        let written = match (step, found) {
            (Step::Wait, _) => {
                self.lost();
                return Ok(());
            }
            (Step::Create, _) => self.create(wall).await,
            (Step::Renew | Step::Take, found) => {
                self.replace(found.unwrap_or_default(), &self.holder, wall)
                    .await
            }
        };
        match written {
            Ok(()) => {
                if !self.fence.is_open() {
                    tracing::info!(
                        lease = self.lease,
                        holder = self.holder,
                        "this replica leads"
                    );
                }
                self.fence.open(begun, wall);
                Ok(())
            }
            // Another was quicker: the next round sees whose it is. A conflict on one's own Lease is no
            // loss of it: the fence closes by itself if it is not renewed.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(source) => Err(LeaseError::Write {
                name: self.lease.clone(),
                source,
            }),
        }
    }

    /// So that another leads at once. Only one's own Lease.
    async fn release(&self) -> Result<(), LeaseError> {
        let Some(lease) = self.get().await? else {
            return Ok(());
        };
        if read(&lease).holder != self.holder {
            return Ok(());
        }
        match self.replace(lease, "", clock::now()).await {
            Ok(()) => {
                tracing::info!(lease = self.lease, "gave the Lease back");
                Ok(())
            }
            Err(source) => Err(LeaseError::Write {
                name: self.lease.clone(),
                source,
            }),
        }
    }

    fn lost(&self) {
        if self.fence.leading().borrow().to_owned() {
            tracing::warn!(lease = self.lease, "this replica no longer leads");
        }
        self.fence.close();
    }

    async fn bounded(
        &self,
        round: impl Future<Output = Result<(), LeaseError>>,
    ) -> Result<(), LeaseError> {
        let timeout = |_| LeaseError::Timeout {
            name: self.lease.clone(),
        };
        tokio::time::timeout(ROUND, round).await.map_err(timeout)?
    }

    async fn get(&self) -> Result<Option<Lease>, LeaseError> {
        let found = self.leases.get_opt(&self.lease).await;
        found.map_err(|source| LeaseError::Get {
            name: self.lease.clone(),
            source,
        })
    }

    async fn create(&self, wall: Timestamp) -> Result<(), kube::Error> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.lease.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec(LeaseSpec::default(), &self.holder, wall)),
        };
        self.leases.create(&params(), &lease).await.map(drop)
    }

    /// Carries the resource version that was read: whoever wrote since wins.
    async fn replace(
        &self,
        mut lease: Lease,
        holder: &str,
        wall: Timestamp,
    ) -> Result<(), kube::Error> {
        lease.spec = Some(spec(lease.spec.unwrap_or_default(), holder, wall));
        self.leases
            .replace(&self.lease, &params(), &lease)
            .await
            .map(drop)
    }
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(field_manager::LEASE.to_owned()),
        ..PostParams::default()
    }
}

fn read(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
    Record {
        holder: spec
            .and_then(|spec| spec.holder_identity.clone())
            .unwrap_or_default(),
        duration: seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(DURATION, Duration::from_secs),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

fn spec(old: LeaseSpec, holder: &str, wall: Timestamp) -> LeaseSpec {
    let changes_hands = old.holder_identity.as_deref() != Some(holder);
    let taken = changes_hands && !holder.is_empty();
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        renew_time: Some(MicroTime(wall)),
        acquire_time: if taken {
            Some(MicroTime(wall))
        } else {
            old.acquire_time
        },
        lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(taken)),
        ..LeaseSpec::default()
    }
}
