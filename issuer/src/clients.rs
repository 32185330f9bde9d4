//! The clients of STS, one an identity, and the source credentials in them.

use crate::{
    Options,
    bucket::{Bucket, OWN},
    calls::Caller,
    clock,
    error::IssueError,
    hops::Hops,
    metrics::{Metrics, Operation},
    secret::Secrets,
    slot::{Connection, Slot},
    target::{OwnRole, Target, Way},
    term::Term,
    token::Tokens,
};
use alter_aws::{Settings, Source, Sts};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Every identity's slot, and what its credentials are read from.
pub(crate) struct Clients {
    pub(crate) secrets: Secrets,
    pub(crate) tokens: Tokens,
    metrics: Metrics,
    rate: f64,
    burst: u32,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

impl Clients {
    pub(crate) fn new(client: kube::Client, options: &Options, metrics: Metrics) -> Self {
        Self {
            secrets: Secrets::new(client.clone(), &options.namespace),
            tokens: Tokens::new(client, &options.namespace),
            metrics,
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

    /// Who calls for an identity, in the turn of a lane.
    pub(crate) fn caller<'a>(
        &'a self,
        target: &'a Target,
        slot: &'a Slot,
        lane: &'a str,
    ) -> Caller<'a> {
        Caller {
            identity: &target.identity,
            bucket: &slot.bucket,
            lane,
            metrics: &self.metrics,
        }
    }

    /// The client at hand while it is good, or a new one, by which sessions may be issued. Where no other is to be had,
    /// a session of the identity's own role is worked with to its end, and an access key until it is known not to be
    /// the one any more.
    pub(crate) async fn cached(
        &self,
        target: &Target,
        slot: &Slot,
    ) -> Result<Connection, IssueError> {
        let tries = slot.tries();
        let mut held = slot.held.lock().await;
        if let Some(connection) = held.good(target, clock::now()) {
            return connection.usable();
        }
        if slot.tries() != tries
            && let Some(error) = held.failure(target)
        {
            return Err(error);
        }
        let connected = self.connect_known(target, slot, held.of(target)).await;
        let failed = match slot.tried(&mut held, target, connected) {
            Err(error) => error,
            Ok(connection) => return connection.usable(),
        };
        let Some(old) = held.of(target) else {
            return Err(failed);
        };
        if !old.goes_on(&failed, clock::now()) {
            return Err(failed);
        }
        tracing::warn!(identity = target.identity, error = %failed, "the identity's credentials are worked with a little longer");
        old.clone().usable()
    }

    /// The client for the source as it now stands.
    pub(crate) async fn current(
        &self,
        target: &Target,
        slot: &Slot,
    ) -> Result<Connection, IssueError> {
        let mut held = slot.held.lock().await;
        let connected = self.connect(target, slot, held.of(target)).await;
        slot.tried(&mut held, target, connected)
    }

    /// After AWS refused `used`: a client with other credentials, where the source has some by now. The
    /// ambient chain begins anew with the next call.
    pub(crate) async fn renew(
        &self,
        target: &Target,
        slot: &Slot,
        used: &Connection,
    ) -> Result<Option<Connection>, IssueError> {
        if used.version.is_none() {
            slot.held.lock().await.connection = None;
            return Ok(None);
        }
        if used.term.is_some() {
            let mut held = slot.held.lock().await;
            if let Some(old) = held.connection.take_if(|own| own.version == used.version) {
                tracing::debug!(
                    identity = old.target.identity,
                    "the refused session is dropped"
                );
            }
            drop(held);
            return self.cached(target, slot).await.map(Some);
        }
        let mut held = slot.held.lock().await;
        let connected = self.connect_known(target, slot, held.of(target)).await;
        let renewed = slot.tried(&mut held, target, connected)?;
        let is_other = renewed.version != used.version;
        is_other.then(|| renewed.usable()).transpose()
    }

    pub(crate) fn forget(&self, identity: &str) {
        if let Some(slot) = self.lock().get_mut(identity) {
            // Calls under way keep the old one.
            *slot = Slot::new(slot.bucket.clone());
        }
    }

    /// A client out of the source as it now stands; the one at hand, where the source is still the same.
    async fn connect(
        &self,
        target: &Target,
        slot: &Slot,
        held: Option<&mut Connection>,
    ) -> Result<Connection, IssueError> {
        let (source, version) = match target.way()? {
            Way::Ambient => (Source::Ambient, None),
            Way::AccessKey(secret) => {
                let read = self.secrets.access_key(&target.identity, secret).await?;
                (read.source, Some(read.version))
            }
            Way::OwnRole(own) => return self.enter_own(target, slot, own).await,
        };
        let looked_at = version.is_some().then(clock::now);
        let connection = match held.filter(|held| held.version == version) {
            Some(held) => held.clone(),
            None => connection(target, source, version, None).await,
        };
        Ok(Connection {
            looked_at,
            ..connection
        })
    }

    /// The same, of which AWS has said whose it is: it is asked once about each.
    async fn connect_known(
        &self,
        target: &Target,
        slot: &Slot,
        held: Option<&mut Connection>,
    ) -> Result<Connection, IssueError> {
        let mut connection = self.connect(target, slot, held).await?;
        if !connection.is_known() {
            let caller = self.caller(target, slot, OWN);
            let asked = caller.once(
                Operation::GetCallerIdentity,
                connection.sts.caller_identity(),
            );
            let answer = asked.await;
            connection.caller =
                Some(answer.map_err(|source| IssueError::sts(&target.identity, source))?);
        }
        Ok(connection)
    }

    /// A client with a new session of the identity's own role.
    async fn enter_own(
        &self,
        target: &Target,
        slot: &Slot,
        own: OwnRole<'_>,
    ) -> Result<Connection, IssueError> {
        let failed = |identity, source| IssueError::Source { identity, source };
        let entry = target.entry(own);
        let caller = self.caller(target, slot, OWN);
        let entered = self.enter(target, slot, caller, own, &entry, failed);
        let entered = entered.await?;
        let (session, source_identity) = (entered.session, entered.source_identity);
        let (version, term) = (
            session.access_key_id.clone(),
            Term::new(clock::now(), session.expiration),
        );
        tracing::info!(
            identity = target.identity,
            access_key_id = version,
            expiration = %session.expiration,
            "entered the identity's own role"
        );
        let source = Source::Session(session);
        let connection = connection(target, source, Some(version), Some(term)).await;
        Ok(Connection {
            source_identity,
            ..connection
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connection(
    target: &Target,
    source: Source,
    version: Option<String>,
    term: Option<Term>,
) -> Connection {
    let settings = Settings {
        region: target.region.clone(),
        endpoint: target.endpoint.clone(),
        source,
    };
    Connection {
        sts: Sts::new(settings).await,
        target: target.clone(),
        version,
        looked_at: None,
        caller: None,
        term,
        source_identity: None,
        hops: Hops::default(),
    }
}
