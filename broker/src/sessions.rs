//! The sessions that are given out, in this process's memory and nowhere else: one a grant and input, so that pods
//! which need none of their own share one.

use crate::{
    allowance::{Allowances, used_up},
    clock,
};
use alter_crds::{AwsGrant, AwsIdentity, condition::reason};
use alter_issuer::{IssueError, Issued, Issuer, Pod, Retry};
use alter_policy::{refresh, revoke, spread::spread};
use alter_protocol::{Session, session::rfc3339};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use prometheus_client::metrics::gauge::Gauge;
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// One that nobody asked for in so long is forgotten: agents ask once a minute.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(5);
/// After STS answered with a session that is of no use.
const CLOCKS_DIFFER: Retry = Retry::Backoff {
    first: Duration::from_secs(5),
    max: Duration::from_mins(1),
};

/// Where sessions come from: the issuer, and in tests a script.
pub trait Source: Send + Sync + 'static {
    /// `sts:AssumeRole` for one pod, or for all that would ask for the same.
    fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
        pod: Pod<'_>,
    ) -> impl Future<Output = Result<Issued, IssueError>> + Send;
}

impl Source for Issuer {
    async fn issue(
        &self,
        identity: &AwsIdentity,
        grant: &AwsGrant,
        pod: Pod<'_>,
    ) -> Result<Issued, IssueError> {
        self.issue_for(identity, grant, pod).await
    }
}

/// What a session is for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) identity: Arc<AwsIdentity>,
    pub(crate) grant: Arc<AwsGrant>,
    pub(crate) pod: String,
    pub(crate) service_account: String,
    /// What the installation calls the cluster.
    pub(crate) cluster: String,
    /// Changes with everything that the session depends on.
    pub(crate) digest: String,
    /// Sessions from before are dropped.
    pub(crate) cut: Option<Timestamp>,
}

impl Wanted {
    /// Whether what is had for the one is what the other is about.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        (&self.digest, self.cut) == (&other.digest, other.cut)
    }
}

/// What there is.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// A session that is valid.
    Session {
        session: Session,
        /// When it is to be looked at again.
        again: Timestamp,
    },
    /// None.
    Nothing(Failure),
}

/// Why there is no new session.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// How often AWS was asked in vain; 0 where it was not asked.
    attempts: u32,
    /// A condition's reason.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: String,
    /// Not before then.
    pub(crate) retry_at: Timestamp,
}

/// Sessions at hand, and how others are obtained.
pub struct Sessions<S> {
    source: Arc<S>,
    allowances: Allowances,
    min_interval: SignedDuration,
    count: Gauge,
    places: Mutex<HashMap<Key, Arc<Turn<Place>>>>,
}

/// The grant's UID and the digest.
type Key = (String, String);

#[derive(Default)]
struct Place {
    current: Option<Current>,
    failure: Option<Failure>,
    used: Timestamp,
}

#[derive(Clone)]
struct Current {
    session: Session,
    issued_at: Timestamp,
    refresh_at: Timestamp,
}

impl<S: Source> Sessions<S> {
    /// Holds none yet; they are not renewed more often than `min_interval`, and `count` says how many there are.
    #[must_use]
    pub fn new(source: S, min_interval: SignedDuration, count: Gauge) -> Self {
        Self {
            source: Arc::new(source),
            allowances: Allowances::new(min_interval),
            min_interval,
            count,
            places: Mutex::default(),
        }
    }

    /// The session at hand, or a new one; the old one where a new one is due and not to be had.
    ///
    /// Whoever asks for the same waits for the one who asks STS, and what STS was asked is not lost where nobody waits
    /// any more.
    pub(crate) async fn get(&self, wanted: &Wanted) -> Held {
        let key = (
            wanted.grant.uid().unwrap_or_default(),
            wanted.digest.clone(),
        );
        let mut place = self.place(key).lock_owned().await;
        place.used = clock::now();
        place.cut(wanted.cut);
        if let Some(held) = place.held(place.used) {
            return held;
        }
        // Attempts that are repeated have their backoff.
        let repeated = place.failure.as_ref().is_some_and(|own| own.attempts > 0);
        if !repeated && let Err(at) = self.allowances.take(wanted) {
            return place.refused(used_up(at), at);
        }
        let (source, min_interval) = (self.source.clone(), self.min_interval);
        let wanted = wanted.clone();
        let renewal =
            tokio::spawn(async move { renew(place, &*source, &wanted, min_interval).await });
        // It fails only where it panicked.
        renewal.await.unwrap_or_else(|_| {
            Held::Nothing(Failure {
                attempts: 1,
                reason: reason::UNAVAILABLE,
                message: "the broker failed to ask STS: see its log".to_owned(),
                retry_at: clock::now() + SignedDuration::from_secs(5),
            })
        })
    }

    fn place(&self, key: Key) -> Arc<Turn<Place>> {
        let mut places = self.lock();
        if places.len() == places.capacity() {
            let now = clock::now();
            places.retain(|_, place| {
                Arc::strong_count(place) > 1
                    || place
                        .try_lock()
                        .is_ok_and(|own| now.duration_since(own.used) < FORGOTTEN)
            });
        }
        let place = places.entry(key).or_default().clone();
        self.count
            .set(i64::try_from(places.len()).unwrap_or(i64::MAX));
        place
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Turn<Place>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Drops a session from before.
    fn cut(&mut self, cut: Option<Timestamp>) {
        let dropped =
            |own: &Current| cut.is_some_and(|cut| revoke::drops(cut, own.issued_at, self.used));
        if self.current.as_ref().is_some_and(dropped) {
            self.current = None;
        }
    }

    /// No session before then, though AWS was not asked.
    fn refused(&mut self, message: String, retry_at: Timestamp) -> Held {
        let failure = Failure {
            attempts: 0,
            reason: reason::TOO_MANY_ISSUES,
            message,
            retry_at,
        };
        self.failure = Some(failure.clone());
        self.held(self.used).unwrap_or(Held::Nothing(failure))
    }

    /// What is to be told without asking STS, if anything.
    fn held(&self, now: Timestamp) -> Option<Held> {
        let failure = self.failure.as_ref().filter(|own| now < own.retry_at);
        let current = self
            .current
            .as_ref()
            .filter(|own| own.session.is_valid(now));
        match (current, failure) {
            (Some(own), _) if now < own.refresh_at => Some(own.held(own.refresh_at)),
            (Some(own), Some(failure)) => {
                Some(own.held(failure.retry_at.min(own.session.expiration)))
            }
            (None, Some(failure)) => Some(Held::Nothing(failure.clone())),
            (_, None) => None,
        }
    }
}

impl Current {
    fn held(&self, again: Timestamp) -> Held {
        Held::Session {
            session: self.session.clone(),
            again,
        }
    }
}

async fn renew(
    mut place: OwnedMutexGuard<Place>,
    source: &impl Source,
    wanted: &Wanted,
    min_interval: SignedDuration,
) -> Held {
    let grant = &wanted.grant;
    let (namespace, name) = (grant.namespace().unwrap_or_default(), grant.name_any());
    let pod = Pod {
        name: &wanted.pod,
        service_account: &wanted.service_account,
    };
    // A session that could be from before the cut would be dropped again.
    let past = |cut: &Timestamp| *cut <= clock::now();
    if let Some(cut) = wanted.cut.filter(past) {
        tokio::time::sleep(clock::until(revoke::earliest(cut), clock::now())).await;
    }
    let asked_at = clock::now();
    let answer = source.issue(&wanted.identity, grant, pod).await;
    let now = clock::now();
    let (reason, message, retry) = match answer {
        Ok(issued) if issued.session.is_valid(now) => {
            let session = issued.session;
            tracing::info!(
                namespace,
                grant = name,
                pod = wanted.pod,
                arn = issued.assumed_role_arn,
                access_key_id = session.access_key_id,
                expiration = rfc3339(session.expiration),
                "issued a session"
            );
            let refresh_at = refresh_at(grant, &session, now, min_interval);
            let current = Current {
                session,
                issued_at: asked_at,
                refresh_at,
            };
            let held = current.held(refresh_at);
            place.current = Some(current);
            place.failure = None;
            return held;
        }
        Ok(issued) => (
            reason::UNAVAILABLE,
            format!(
                "STS answered with a session that ended at {}: check the clock of the broker's node",
                rfc3339(issued.session.expiration)
            ),
            CLOCKS_DIFFER,
        ),
        Err(error) => (error.category(), error.to_string(), error.retry()),
    };
    tracing::warn!(
        namespace,
        grant = name,
        reason,
        error = message,
        "no session"
    );
    let attempts = place.failure.as_ref().map_or(0, |last| last.attempts) + 1;
    let spread = spread(&wanted.digest, &attempts.to_be_bytes());
    let failure = Failure {
        attempts,
        reason,
        message,
        retry_at: now + retry.wait(attempts, spread),
    };
    place.failure = Some(failure.clone());
    place.held(now).unwrap_or(Held::Nothing(failure))
}

fn refresh_at(
    grant: &AwsGrant,
    session: &Session,
    now: Timestamp,
    min_interval: SignedDuration,
) -> Timestamp {
    let life = session.expiration.duration_since(now);
    // One that cannot be read is refused before a session is issued.
    let asked = grant.spec.refresh_before().ok().flatten();
    let before = refresh::refresh_before(life, asked, min_interval);
    let spread = spread(&session.access_key_id, &[]);
    refresh::refresh_at(now, session.expiration, before, spread)
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
