//! What the agent holds of a grant, decided from what its source says. No I/O, no clock.

use alter_policy::{name, service_account};
use alter_protocol::grant::{Delivery, GrantDocument, GrantDocumentError};
use alter_protocol::pod::{CREDENTIALS_JSON, GRANT_JSON};
use alter_protocol::session::{SecretText, Session, rfc3339};
use jiff::Timestamp;

/// What the pod is to a grant; does not change while it runs.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The service account that it runs as.
    pub service_account: String,
    /// How its containers get a session.
    pub delivery: Delivery,
}

/// The files of one grant's Secret, as one write left them.
pub struct Files {
    /// `grant.json`.
    pub grant: Result<SecretText, Unread>,
    /// `credentials.json`.
    pub credentials: Result<SecretText, Unread>,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The Secret has no such key, or there is no Secret.
    Missing,
    /// The system says no, in its words.
    Failed(String),
}

/// What a grant's source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// What the agent must know of the grant, and its session, unless that lacks.
    Granted(Box<GrantDocument>, Result<Session, Wait>),
    /// Nothing may be served.
    Refused(Refusal),
    /// There is no new session, and nothing was taken away.
    Waiting(Wait),
    /// It says nothing that can be used.
    Silent(Wait),
}

/// What the agent may do for a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing to serve for now.
    Waiting {
        /// What is missing.
        why: Wait,
        /// When the session expired that was served until then.
        expired: Option<Timestamp>,
    },
    /// The session may be handed out until it expires.
    Serving {
        /// What to hand out.
        session: Session,
        /// The grant's AWS region.
        region: String,
        /// Set where the files can no longer be used and this is the last good session.
        kept: Option<Wait>,
    },
    /// Nothing may be served, however valid a session is.
    Refused(Refusal),
}

/// Why there is nothing to serve, which ends by itself or with the grant's repair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// The Secret has no such key.
    #[error("its Secret has no {0} yet")]
    Missing(&'static str),
    /// The file is there and cannot be opened.
    #[error("{file} of its Secret cannot be read ({reason})")]
    Unreadable {
        /// Which key of the Secret.
        file: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The file is not what Alter writes.
    #[error("its Secret holds what Alter did not write ({0})")]
    Garbled(String),
    /// The newest session is over.
    #[error("its session expired at {} and was not renewed", rfc3339(*.0))]
    Expired(Timestamp),
    /// The broker has none for now.
    #[error("the broker has no new session ({reason}): {message}")]
    Told {
        /// A condition's reason.
        reason: String,
        /// What happened, and what to do next.
        message: String,
    },
    /// The broker was not asked yet, or has not answered.
    #[error("the broker has not answered yet")]
    Unasked,
    /// The broker did not answer.
    #[error("the broker did not answer: {0}")]
    Unanswered(String),
}

/// Why nothing may be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The operator took the session away, or the broker gives none.
    #[error("taken away ({reason}): {message}")]
    Revoked {
        /// A condition's reason.
        reason: String,
        /// What happened, and what to do next.
        message: String,
    },
    /// The grant is for other service accounts.
    #[error(
        "it is for the service accounts {allowed}, and this pod runs as {actual}: set the pod's serviceAccountName, or extend the grant's spec.serviceAccounts"
    )]
    ServiceAccount {
        /// Those of the grant, comma-separated.
        allowed: String,
        /// The pod's.
        actual: String,
    },
    /// The grant does not allow the pod's delivery.
    #[error(
        "it allows the deliveries {allowed}, and this pod asks for {actual}: set the pod's annotation alter.dev/delivery, or extend the grant's spec.deliveries"
    )]
    Delivery {
        /// Those of the grant, comma-separated.
        allowed: String,
        /// The pod's.
        actual: Delivery,
    },
    /// `grant.json` is of a version that this agent cannot follow.
    #[error("{0}")]
    Version(String),
    /// The mounted Secret belongs to another grant.
    #[error(
        "the Secret mounted for it is that of grant {0}: give each grant its own spec.secretName"
    )]
    OtherGrant(String),
}

impl Refusal {
    /// For metrics and logs.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "revoked",
            Self::ServiceAccount { .. } => "service_account",
            Self::Delivery { .. } => "delivery",
            Self::Version(_) => "version",
            Self::OtherGrant(_) => "other_grant",
        }
    }
}

impl State {
    /// Before anything was read.
    pub const START: Self = Self::Waiting {
        why: Wait::Missing(GRANT_JSON),
        expired: None,
    };

    /// A session ran out and the files were not looked at since.
    #[must_use]
    pub const fn over(expiration: Timestamp) -> Self {
        Self::Waiting {
            why: Wait::Expired(expiration),
            expired: None,
        }
    }

    /// One line for people: what is the matter with `grant`, and what to do next. Empty while it is served.
    #[must_use]
    pub fn explain(&self, grant: &str) -> String {
        let text = match self {
            Self::Serving { .. } => return String::new(),
            Self::Refused(refusal) => format!("grant {grant}: {refusal}"),
            Self::Waiting { why, expired } => {
                let over = expired.map_or_else(String::new, |time| {
                    format!("its session expired at {}, and ", rfc3339(time))
                });
                format!("grant {grant}: {over}{why}; `kubectl describe awsgrant {grant}` says why")
            }
        };
        text.replace(char::is_control, " ")
    }
}

/// What to hold of `grant` from now on: its source rules, and where that cannot be used the last good session
/// lives on until it expires. What was refused stays so until the source says otherwise.
#[must_use]
pub fn decide(grant: &str, pod: &Pod, previous: &State, found: &Found, now: Timestamp) -> State {
    let (document, session) = match found {
        Found::Granted(document, session) => (document, session),
        Found::Refused(refusal) => return State::Refused(refusal.clone()),
        Found::Waiting(why) => return keep(previous, why.clone(), now),
        Found::Silent(why) => {
            return match previous {
                State::Refused(refusal) => State::Refused(refusal.clone()),
                _ => keep(previous, why.clone(), now),
            };
        }
    };
    if let Some(refusal) = refuse(grant, pod, document) {
        return State::Refused(refusal);
    }
    match session {
        Ok(session) if session.is_valid(now) => State::Serving {
            session: session.clone(),
            region: document.region.clone(),
            kept: None,
        },
        Ok(session) => keep(previous, Wait::Expired(session.expiration), now),
        Err(why) => keep(previous, why.clone(), now),
    }
}

fn refuse(grant: &str, pod: &Pod, document: &GrantDocument) -> Option<Refusal> {
    if document.grant != grant {
        return Some(Refusal::OtherGrant(document.grant.clone()));
    }
    if let Some(revoked) = &document.revoked {
        return Some(Refusal::Revoked {
            reason: revoked.reason.clone(),
            message: revoked.message.clone(),
        });
    }
    if !service_account::may_use(&document.service_accounts, &pod.service_account) {
        return Some(Refusal::ServiceAccount {
            allowed: document.service_accounts.join(", "),
            actual: pod.service_account.clone(),
        });
    }
    let delivery = pod.delivery.as_str();
    if !document.deliveries.iter().any(|name| name == delivery) {
        return Some(Refusal::Delivery {
            allowed: document.deliveries.join(", "),
            actual: pod.delivery,
        });
    }
    None
}

fn keep(previous: &State, why: Wait, now: Timestamp) -> State {
    match previous {
        State::Serving {
            session, region, ..
        } if session.is_valid(now) => State::Serving {
            session: session.clone(),
            region: region.clone(),
            kept: Some(why),
        },
        State::Serving { session, .. } => State::Waiting {
            // Said once: a file that holds the very session that ran out adds nothing.
            expired: Some(session.expiration).filter(|time| why != Wait::Expired(*time)),
            why,
        },
        State::Waiting { expired, .. } => State::Waiting {
            expired: *expired,
            why,
        },
        State::Refused(_) => State::Waiting { why, expired: None },
    }
}

impl Files {
    /// What they say.
    #[must_use]
    pub fn found(&self) -> Found {
        let text = match readable(&self.grant, GRANT_JSON) {
            Ok(text) => text,
            Err(why) => return Found::Silent(why),
        };
        match GrantDocument::from_json(text.as_bytes()) {
            Ok(document) => granted(document, read_session(self)),
            Err(error @ GrantDocumentError::Version(_)) => {
                Found::Refused(Refusal::Version(error.to_string()))
            }
            Err(error) => Found::Silent(Wait::Garbled(error.to_string())),
        }
    }
}

/// What a document of the current version says, with the session that came with it.
pub(crate) fn granted(document: GrantDocument, session: Result<Session, Wait>) -> Found {
    // It becomes a line of the SDKs' config file, and whoever may write the Secret may not write that.
    match name::check_region(&document.region) {
        Err(error) if document.revoked.is_none() => Found::Silent(Wait::Garbled(error.to_string())),
        _ => Found::Granted(Box::new(document), session),
    }
}

fn read_session(files: &Files) -> Result<Session, Wait> {
    let text = readable(&files.credentials, CREDENTIALS_JSON)?;
    Session::from_process_json(text.as_bytes()).map_err(|error| Wait::Garbled(error.to_string()))
}

fn readable<'a>(
    file: &'a Result<SecretText, Unread>,
    name: &'static str,
) -> Result<&'a SecretText, Wait> {
    file.as_ref().map_err(|unread| match unread {
        Unread::Missing => Wait::Missing(name),
        Unread::Failed(reason) => Wait::Unreadable {
            file: name,
            reason: reason.clone(),
        },
    })
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
