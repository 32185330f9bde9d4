//! The clients of STS, one an identity, and the source credentials in them.

use crate::{Options, bucket::Bucket, error::IssueError, secret::Secrets};
use alter_aws::{Settings, Source, Sts};
use alter_crds::{AwsIdentity, identity::Credentials};
use kube::ResourceExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What of an identity decides how STS is asked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) identity: String,
    region: String,
    endpoint: Option<String>,
    credentials: Credentials,
}

impl Target {
    pub(crate) fn of(identity: &AwsIdentity) -> Self {
        let spec = &identity.spec;
        Self {
            identity: identity.name_any(),
            region: spec.region.clone(),
            endpoint: spec.endpoints.as_ref().and_then(|own| own.sts.clone()),
            credentials: spec.credentials.clone(),
        }
    }

    /// The name of the Secret with the access key; nothing for the ambient chain.
    fn secret(&self) -> Result<Option<&str>, IssueError> {
        match &self.credentials {
            Credentials {
                access_key: Some(key),
                ..
            } => Ok(Some(&key.secret_ref.name)),
            Credentials {
                ambient: Some(_), ..
            } => Ok(None),
            Credentials { .. } => Err(IssueError::NoSource {
                identity: self.identity.clone(),
            }),
        }
    }
}

/// A client, and of what it was made.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sts: Sts,
    target: Target,
    /// Of the Secret; none for the ambient chain.
    version: Option<String>,
}

/// An identity's place: its budget, and the client while there is one.
pub(crate) struct Slot {
    pub(crate) bucket: Arc<Bucket>,
    // Held while a client is made, so that many grants read a Secret once.
    connection: tokio::sync::Mutex<Option<Connection>>,
}

impl Slot {
    fn new(bucket: Arc<Bucket>) -> Arc<Self> {
        Arc::new(Self {
            bucket,
            connection: tokio::sync::Mutex::new(None),
        })
    }
}

/// Every identity's slot.
pub(crate) struct Clients {
    secrets: Secrets,
    rate: f64,
    burst: u32,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

impl Clients {
    pub(crate) fn new(client: kube::Client, options: &Options) -> Self {
        Self {
            secrets: Secrets::new(client, &options.namespace),
            rate: options.rate,
            burst: options.burst,
            slots: Mutex::default(),
        }
    }

    pub(crate) fn slot(&self, identity: &str) -> Arc<Slot> {
        let new = || Slot::new(Arc::new(Bucket::new(self.rate, self.burst)));
        let mut slots = self.lock();
        slots.entry(identity.to_owned()).or_insert_with(new).clone()
    }

    /// The client at hand, or a new one.
    pub(crate) async fn cached(
        &self,
        target: &Target,
        slot: &Slot,
    ) -> Result<Connection, IssueError> {
        let mut held = slot.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|held| held.target == *target) {
            return Ok(connection.clone());
        }
        let (source, version) = self.read(target).await?;
        Ok(connect(&mut held, target, source, version).await)
    }

    /// The client for the Secret as it now stands.
    pub(crate) async fn current(
        &self,
        target: &Target,
        slot: &Slot,
    ) -> Result<Connection, IssueError> {
        let mut held = slot.connection.lock().await;
        let (source, version) = self.read(target).await?;
        if let Some(connection) = held.as_ref()
            && connection.target == *target
            && connection.version == version
        {
            return Ok(connection.clone());
        }
        Ok(connect(&mut held, target, source, version).await)
    }

    /// After AWS refused `used`: a client with another access key, where the Secret holds one by now. The
    /// ambient chain begins anew with the next call.
    pub(crate) async fn renew(
        &self,
        target: &Target,
        slot: &Slot,
        used: &Connection,
    ) -> Result<Option<Connection>, IssueError> {
        if used.version.is_none() {
            *slot.connection.lock().await = None;
            return Ok(None);
        }
        let renewed = self.current(target, slot).await?;
        Ok((renewed.version != used.version).then_some(renewed))
    }

    pub(crate) fn forget(&self, identity: &str) {
        if let Some(slot) = self.lock().get_mut(identity) {
            // Calls under way keep the old one.
            *slot = Slot::new(slot.bucket.clone());
        }
    }

    async fn read(&self, target: &Target) -> Result<(Source, Option<String>), IssueError> {
        let Some(secret) = target.secret()? else {
            return Ok((Source::Ambient, None));
        };
        let read = self.secrets.read(&target.identity, secret).await?;
        Ok((read.source, Some(read.version)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(
    held: &mut Option<Connection>,
    target: &Target,
    source: Source,
    version: Option<String>,
) -> Connection {
    let settings = Settings {
        region: target.region.clone(),
        endpoint: target.endpoint.clone(),
        source,
    };
    let connection = Connection {
        sts: Sts::new(settings).await,
        target: target.clone(),
        version,
    };
    held.insert(connection).clone()
}
