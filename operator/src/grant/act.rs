//! Doing what a plan says about a grant.

use super::{
    observe::{Decision, Known, Unseen, is_overtaken},
    plan::{Existing, Left, Plan, Why, failed, not_taken_away, refresh_at},
    status::ended,
    turns::Turn,
};
use crate::{
    clock,
    context::{Context, Sessions},
    failures::Failure,
    session_secret::{Facts, Live, Since, WriteError, body},
};
use alter_crds::{
    AwsGrant, AwsIdentity,
    condition::{self, READY, reason},
};
use alter_issuer::{Issued, Retry, lookup::Lookup};
use alter_protocol::{Revocation, session::rfc3339};
use jiff::Timestamp;
use kube::ResourceExt;
use std::time::Duration;

/// After a write that the API server failed.
const WRITE_RETRY: Retry = Retry::Backoff {
    first: Duration::from_secs(1),
    max: Duration::from_mins(1),
};

/// What says more about the identity than about the grant.
const OF_THE_SOURCE: [&str; 3] = [
    reason::SOURCE_REJECTED,
    reason::SOURCE_NOT_FOUND,
    reason::INVALID_CERTIFICATE,
];

/// What pods read that still have the Secret mounted.
const CHANGED: &str =
    "spec.store is Broker now, and this pod reads the Secret of before: restart the pod";

/// What came of a plan: how things stand now.
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    pub(crate) secret: Existing,
}

/// One grant's plan on its way to an outcome.
pub(crate) struct Act<'a, S> {
    pub(crate) grant: &'a AwsGrant,
    pub(crate) known: &'a Known,
    pub(crate) context: &'a Context<S>,
}

/// Why there is no session.
enum NoSession {
    /// This process no longer leads.
    Fenced,
    /// What was known when AWS was asked has changed: the change brings another look.
    Overtaken,
    /// A condition's reason, a message for people, and when to try again.
    Failed(&'static str, String, Retry),
}

impl From<WriteError> for NoSession {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Fenced(_) => Self::Fenced,
            error => Self::Failed(error.category(), error.to_string(), WRITE_RETRY),
        }
    }
}

impl<S: Sessions> Act<'_, S> {
    /// Does it; none where this process stopped leading meanwhile, or what it is about changed.
    pub(crate) async fn run(&self, decision: Decision) -> Option<Outcome> {
        let Decision {
            plan,
            secret,
            live,
            turn,
        } = decision;
        let live = live.as_ref();
        let Outcome { plan, secret } = match plan {
            Plan::Issue(why) => self.issue(why, secret, live, turn).await?,
            plan => Outcome { plan, secret },
        };
        match plan {
            Plan::TakeAway {
                reason,
                message,
                write: true,
            } => self.take_away(reason, message, secret, live).await,
            Plan::Brokered { clear: true } => {
                let message = CHANGED.to_owned();
                let outcome = self
                    .take_away(reason::STORE_CHANGED, message, secret, live)
                    .await?;
                Some(match outcome.plan {
                    Plan::TakeAway { .. } => Outcome {
                        plan: Plan::Brokered { clear: false },
                        ..outcome
                    },
                    _ => outcome,
                })
            }
            Plan::Hold {
                reason,
                message,
                left: Left::Stale(at),
                retry_at,
            } => {
                let left = self.remove_keys(reason, &message, at, live).await?;
                let plan = Plan::Hold {
                    reason,
                    message,
                    left,
                    retry_at,
                };
                Some(Outcome { plan, secret })
            }
            plan => Some(Outcome { plan, secret }),
        }
    }

    /// A session, or the reason why there is none and what is left.
    async fn issue(
        &self,
        why: Why,
        secret: Existing,
        live: Option<&Live>,
        turn: Option<Turn>,
    ) -> Option<Outcome> {
        let served = match self.obtain(live, turn).await {
            Ok(facts) => facts,
            Err(NoSession::Fenced | NoSession::Overtaken) => return None,
            Err(NoSession::Failed(reason, message, retry)) => {
                let failure = self.note(reason, message, retry);
                let plan = failed(&secret, &failure, clock::now());
                return Some(Outcome { plan, secret });
            }
        };
        let until = served.served.as_ref().map_or_else(clock::now, |served| {
            tracing::info!(
                grant = %self.name(),
                ?why,
                access_key_id = served.access_key_id,
                expiration = %served.expiration,
                "issued a session"
            );
            let min_interval = self.context.min_interval;
            refresh_at(&self.grant.spec, &self.uid(), served, min_interval)
        });
        Some(Outcome {
            plan: Plan::Wait { until },
            secret: Existing::Own(served),
        })
    }

    /// Asks STS, and writes what it answers.
    async fn obtain(&self, live: Option<&Live>, turn: Option<Turn>) -> Result<Facts, NoSession> {
        let (Some(identity), Lookup::Ready { digest, .. }) =
            (self.known.identity(), &self.known.lookup)
        else {
            return Err(NoSession::Fenced);
        };
        // 1. A session.
        let repeated = self.context.failures.of(&self.uid(), &self.known.tried);
        if repeated.is_none() {
            self.context.allowances.take(&self.uid(), clock::now());
        }
        // AWS issued it no sooner, so that none from before a cut is taken for one from after.
        let asked_at = clock::now();
        let answer = self.context.sessions.issue(identity, self.grant).await;
        drop(turn);
        let issued = answer.map_err(|error| {
            if OF_THE_SOURCE.contains(&error.category()) {
                self.recheck(identity);
            }
            NoSession::Failed(error.category(), error.to_string(), error.retry())
        })?;
        // 2. One that is of use, and not taken away while AWS took its time.
        if !issued.session.is_valid(clock::now()) {
            return Err(already_expired(&issued));
        }
        if is_overtaken(self.grant, digest, self.context) {
            return Err(NoSession::Overtaken);
        }
        // 3. Into the Secret, all keys in one write.
        let (session, arn) = (&issued.session, &issued.assumed_role_arn);
        let body = body::serving(self.grant, session, arn, digest, asked_at);
        drop(issued);
        let facts = self.write(body, live).await?;
        // 4. As it was written: where something else goes on changing it, each look would issue anew.
        if facts.served.as_ref().map(|served| &served.digest) != Some(digest) {
            let message = "the session's Secret came back changed: find the webhook or policy that changes Secrets".to_owned();
            return Err(NoSession::Failed(
                reason::SECRET_WRITE_FAILED,
                message,
                WRITE_RETRY,
            ));
        }
        self.context.failures.forget(&self.uid());
        self.context.metrics.issued();
        Ok(facts)
    }

    /// Rewrites the Secret without a session.
    async fn take_away(
        &self,
        reason: &'static str,
        message: String,
        secret: Existing,
        live: Option<&Live>,
    ) -> Option<Outcome> {
        let body = body::revoked(self.grant, revocation(reason, &message), None, clock::now());
        match self.write(body, live).await {
            Ok(facts) => {
                tracing::info!(grant = %self.name(), reason, "took the session away");
                self.context.metrics.taken_away(reason);
                self.context.failures.forget(&self.uid());
                let plan = Plan::TakeAway {
                    reason,
                    message,
                    write: false,
                };
                Some(Outcome {
                    plan,
                    secret: Existing::Own(facts),
                })
            }
            Err(WriteError::Fenced(_)) => None,
            Err(error) => Some(self.not_taken_away(secret, &error)),
        }
    }

    /// What follows where the Secret could not even be looked at.
    pub(crate) fn unseen(&self, unseen: Unseen) -> Result<Outcome, WriteError> {
        let Unseen {
            plan,
            secret,
            error,
        } = unseen;
        match plan {
            Plan::TakeAway { .. } | Plan::Brokered { .. } => {
                Ok(self.not_taken_away(secret, &error))
            }
            _ => Err(error),
        }
    }

    fn not_taken_away(&self, secret: Existing, error: &WriteError) -> Outcome {
        let failure = self.note(error.category(), error.to_string(), WRITE_RETRY);
        Outcome {
            plan: not_taken_away(&failure),
            secret,
        }
    }

    /// Takes the keys of a session that expired out of the Secret; gives what is left.
    async fn remove_keys(
        &self,
        reason: &'static str,
        why: &str,
        at: Timestamp,
        live: Option<&Live>,
    ) -> Option<Left> {
        let (reason, text) = (
            ended(reason),
            format!("the session expired, and there is no new one: {why}"),
        );
        let revocation = revocation(reason, &text);
        let body = body::revoked(self.grant, revocation, Some(at), clock::now());
        match self.write(body, live).await {
            Ok(_) => {
                tracing::info!(grant = %self.name(), expiration = %at, "removed the keys of an expired session");
                self.context.metrics.taken_away(reason);
                Some(Left::Expired(at))
            }
            Err(WriteError::Fenced(_)) => None,
            Err(error) => {
                tracing::warn!(%error, grant = %self.name(), "the keys of an expired session were not removed");
                Some(Left::Stale(at))
            }
        }
    }

    /// Creates the Secret, or applies over the one that was looked at.
    async fn write(&self, body: body::Body, live: Option<&Live>) -> Result<Facts, WriteError> {
        let writer = &self.context.writer;
        let namespace = self.grant.namespace().unwrap_or_default();
        let name = self.grant.secret_name();
        let writing = self.context.index.writing(&namespace, &name);
        let facts = match live {
            None => writer.create(&body).await?,
            Some(live) => writer.replace(live, &body, Since::SameObject).await?,
        };
        writing.done(facts.clone());
        Ok(facts)
    }

    /// One check of the identity in place of a retry for each of its grants.
    fn recheck(&self, identity: &AwsIdentity) {
        let status = identity.status.as_ref();
        if status.is_some_and(|own| condition::is_true(&own.conditions, READY)) {
            self.context.rechecks.ask(&identity.name_any());
        }
    }

    fn note(&self, reason: &'static str, message: String, retry: Retry) -> Failure {
        tracing::warn!(grant = %self.name(), reason, error = message, "the grant's plan failed");
        self.context.metrics.failed(reason);
        let (uid, tried) = (self.uid(), &self.known.tried);
        let failures = &self.context.failures;
        failures.note(&uid, tried, (reason, message), retry, clock::now())
    }

    fn uid(&self) -> String {
        self.grant.uid().unwrap_or_default()
    }

    fn name(&self) -> String {
        let namespace = self.grant.namespace().unwrap_or_default();
        format!("{namespace}/{}", self.grant.name_any())
    }
}

fn already_expired(issued: &Issued) -> NoSession {
    let message = format!(
        "STS answered with a session that ended at {}: check the clock of the operator's node",
        rfc3339(issued.session.expiration)
    );
    NoSession::Failed(reason::UNAVAILABLE, message, WRITE_RETRY)
}

fn revocation(reason: &'static str, message: &str) -> Revocation {
    Revocation {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}
