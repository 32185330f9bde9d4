//! An identity's place: its budget, and its clients while there are some.

use crate::{bucket::Bucket, error::IssueError, hops::Hops, target::Target, term::Term};
use alter_aws::{Iam, RolesAnywhere, Sts, WebIdentity};
use jiff::Timestamp;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A client, and of what it was made.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sts: Sts,
    pub(crate) target: Target,
    /// Of the credentials: the Secret's version, or the session's id. None for the ambient chain.
    pub(crate) version: Option<String>,
    /// Of a session of the identity's own role.
    pub(crate) term: Option<Term>,
    /// Which that session carries.
    pub(crate) source_identity: Option<String>,
    /// What was obtained by it on the way to grants' roles.
    pub(crate) hops: Hops,
}

/// An identity's place.
pub(crate) struct Slot {
    pub(crate) bucket: Arc<Bucket>,
    // Held while a client is made, so that many grants read a source once.
    pub(crate) held: tokio::sync::Mutex<Held>,
    pub(crate) web_identity: Made<WebIdentity>,
    pub(crate) roles_anywhere: Made<RolesAnywhere>,
    pub(crate) iam: Made<Iam>,
    tries: AtomicU64,
}

/// A client for who has no credentials yet, and for which target it was made.
pub(crate) struct Made<T>(Mutex<Option<(Target, T)>>);

impl<T> Default for Made<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Made<T> {
    /// The client for a target; made where there is none.
    pub(crate) fn of<E>(
        &self,
        target: &Target,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = held.as_ref().filter(|(of, _)| of == target) {
            return Ok(client.clone());
        }
        let client = make()?;
        Ok(held.insert((target.clone(), client)).1.clone())
    }
}

/// What the last try to get a client left.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) connection: Option<Connection>,
    failure: Option<(Target, IssueError)>,
}

impl Slot {
    pub(crate) fn new(bucket: Arc<Bucket>) -> Arc<Self> {
        Arc::new(Self {
            bucket,
            held: tokio::sync::Mutex::default(),
            web_identity: Made::default(),
            roles_anywhere: Made::default(),
            iam: Made::default(),
            tries: AtomicU64::default(),
        })
    }

    /// How many tries there were: who waits for one remembers it, and shares that one's failure.
    pub(crate) fn tries(&self) -> u64 {
        self.tries.load(Ordering::Relaxed)
    }

    /// Keeps what a try brought.
    pub(crate) fn tried(
        &self,
        held: &mut Held,
        target: &Target,
        outcome: Result<Connection, IssueError>,
    ) -> Result<Connection, IssueError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(connection) => {
                held.failure = None;
                Ok(held.connection.insert(connection).clone())
            }
            Err(error) => {
                held.failure = Some((target.clone(), error.clone()));
                Err(error)
            }
        }
    }
}

impl Held {
    /// The client for a target.
    pub(crate) fn of(&mut self, target: &Target) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|own| own.target == *target)
    }

    /// The client for a target, unless it is time for another.
    pub(crate) fn good(&mut self, target: &Target, now: Timestamp) -> Option<Connection> {
        let connection = self.of(target)?;
        let due = connection.term.is_some_and(|term| term.is_due(now));
        (!due).then(|| connection.clone())
    }

    /// Why the last try for a target failed.
    pub(crate) fn failure(&self, target: &Target) -> Option<IssueError> {
        let (of, error) = self.failure.as_ref()?;
        (of == target).then(|| error.clone())
    }
}
