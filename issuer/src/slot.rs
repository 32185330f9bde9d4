//! An identity's place: its budget, and its clients while there are some.

use crate::{bucket::Bucket, error::IssueError, hops::Hops, target::Target, term::Term};
use alter_aws::{Caller, Iam, RolesAnywhere, Sts, WebIdentity};
use alter_crds::condition::reason;
use alter_policy::caller;
use jiff::{SignedDuration, Timestamp};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// An access key is read again after this: whoever may not watch Secrets learns so that it was rotated.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A client, and of what it was made.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sts: Sts,
    pub(crate) target: Target,
    /// Of the credentials: the Secret's version, or the session's id. None for the ambient chain.
    pub(crate) version: Option<String>,
    /// When the Secret with them was read last; none where they are in no Secret.
    pub(crate) looked_at: Option<Timestamp>,
    /// Whose they are, once AWS was asked. Nobody asks whose a session of the identity's own role is.
    pub(crate) caller: Option<Caller>,
    /// Of a session of the identity's own role.
    pub(crate) term: Option<Term>,
    /// Which that session carries.
    pub(crate) source_identity: Option<String>,
    /// What was obtained by it on the way to grants' roles.
    pub(crate) hops: Hops,
}

impl Connection {
    /// Whether it is known whose it is.
    pub(crate) fn is_known(&self) -> bool {
        self.term.is_some() || self.caller.is_some()
    }

    /// Itself, where sessions may be issued through it.
    pub(crate) fn usable(self) -> Result<Self, IssueError> {
        let root = self.caller.as_ref();
        match root.and_then(|own| caller::refuse_root(&own.arn)) {
            None => Ok(self),
            Some(why) => Err(IssueError::RootUser {
                identity: self.target.identity,
                why,
            }),
        }
    }

    /// Whether it can be worked with unasked.
    fn is_good(&self, now: Timestamp) -> bool {
        let fresh =
            |at: Timestamp| (at..at.saturating_add(LOOK_AGAIN).unwrap_or(at)).contains(&now);
        self.is_known()
            && self.looked_at.is_none_or(fresh)
            && !self.term.is_some_and(|term| term.is_due(now))
    }

    /// Whether it is worked with a little longer where there is no other to be had: a session to its end, and an
    /// access key while nothing says that it is none any more.
    pub(crate) fn goes_on(&mut self, failed: &IssueError, now: Timestamp) -> bool {
        if let Some(term) = self.term {
            let extended = term.extended(now);
            self.term = extended.or(self.term);
            return extended.is_some();
        }
        let is_a_moment = [reason::UNAVAILABLE, reason::THROTTLED].contains(&failed.category());
        let goes_on = is_a_moment && self.is_known();
        if goes_on {
            self.looked_at = Some(now);
        }
        goes_on
    }
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
        connection.is_good(now).then(|| connection.clone())
    }

    /// AWS said whose the credentials of that version are.
    pub(crate) fn note(&mut self, used: &Connection, caller: &Caller) {
        if let Some(own) = self.of(&used.target)
            && own.version == used.version
        {
            own.caller = Some(caller.clone());
        }
    }

    /// Why the last try for a target failed.
    pub(crate) fn failure(&self, target: &Target) -> Option<IssueError> {
        let (of, error) = self.failure.as_ref()?;
        (of == target).then(|| error.clone())
    }
}
