//! Why there is no session, and when it is worth asking again.

use crate::request::RequestError;
use alter_aws::{CertificateError, Class, EntryError, StsError};
use alter_crds::{answer::InWords, condition::reason};
use std::{sync::Arc, time::Duration};

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IssueError {
    /// Identity and grant make no request.
    #[error(transparent)]
    Plan(#[from] RequestError),
    /// The identity names no source of credentials, which its CRD does not let through.
    #[error(
        "AwsIdentity {identity} names no credentials: set one of ambient, accessKey, webIdentity and rolesAnywhere under spec.credentials"
    )]
    NoSource {
        /// The identity.
        identity: String,
    },
    /// The Secret with the access key or certificate does not exist.
    #[error(
        "AwsIdentity {identity}: there is no Secret {name} in namespace {namespace}: create it with the keys {keys}"
    )]
    SecretMissing {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
        /// What it must hold.
        keys: &'static str,
    },
    /// The Secret lacks a key, or the key holds no text.
    #[error(
        "AwsIdentity {identity}: Secret {name} in namespace {namespace} has no text under the key {key}: write it there"
    )]
    SecretKey {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
        /// The key that lacks.
        key: &'static str,
    },
    /// The API server does not let the operator read the Secret.
    #[error(
        "AwsIdentity {identity}: the operator may not read Secret {name} in namespace {namespace}: let its Role get secrets there, as the chart does"
    )]
    SecretForbidden {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
    },
    /// The API server failed to give the Secret.
    #[error(
        "AwsIdentity {identity}: cannot read Secret {name} in namespace {namespace}: {}; Alter asks again by itself",
        InWords(.source)
    )]
    SecretRead {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
        /// What the API server said.
        source: Arc<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error(
        "AwsIdentity {identity}: reading Secret {name} in namespace {namespace} took too long; Alter asks again by itself"
    )]
    SecretTimeout {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
    },
    /// The certificate in the Secret cannot be used.
    #[error("AwsIdentity {identity}: Secret {name} in namespace {namespace}: {source}")]
    Certificate {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The Secret.
        name: String,
        /// What is wrong with it, and the mend.
        source: CertificateError,
    },
    /// The service account does not exist.
    #[error(
        "AwsIdentity {identity}: there is no service account {name} in namespace {namespace}: create it, or correct spec.credentials.webIdentity.serviceAccountRef"
    )]
    ServiceAccountMissing {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The service account.
        name: String,
    },
    /// The API server does not let the operator have the token.
    #[error(
        "AwsIdentity {identity}: the operator may not ask for a token of service account {name} in namespace {namespace} for the audience {audience:?}: add the one to the chart's value operator.webIdentity.serviceAccounts, and the other to operator.webIdentity.audiences; the API server said: {}",
        InWords(.source)
    )]
    TokenForbidden {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The service account.
        name: String,
        /// The audience.
        audience: String,
        /// What the API server said.
        source: Arc<kube::Error>,
    },
    /// The API server failed to give the token.
    #[error(
        "AwsIdentity {identity}: cannot get a token of service account {name} in namespace {namespace}: {}; Alter asks again by itself",
        InWords(.source)
    )]
    TokenRequest {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The service account.
        name: String,
        /// What the API server said.
        source: Arc<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error(
        "AwsIdentity {identity}: asking for a token of service account {name} in namespace {namespace} took too long; Alter asks again by itself"
    )]
    TokenTimeout {
        /// The identity.
        identity: String,
        /// The operator's namespace.
        namespace: String,
        /// The service account.
        name: String,
    },
    /// The credentials are those of an account's root user.
    #[error("AwsIdentity {identity}: {why}")]
    RootUser {
        /// The identity.
        identity: String,
        /// Whose they are, and the mend.
        why: String,
    },
    /// The identity's own role was not entered, through which other roles are assumed.
    #[error("AwsIdentity {identity}: {source}")]
    Source {
        /// The identity.
        identity: String,
        /// What AWS said, and what to do.
        source: EntryError,
    },
    /// The identity's own role was not entered for a grant of that role.
    #[error("AwsIdentity {identity}: {source}")]
    Entry {
        /// The identity.
        identity: String,
        /// What AWS said, and what to do.
        source: EntryError,
    },
    /// STS gave none.
    #[error("AwsIdentity {identity}: {source}")]
    Sts {
        /// The identity.
        identity: String,
        /// What AWS said, and what to do.
        source: StsError,
    },
}

/// When it is worth asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// By backoff.
    Backoff {
        /// The first wait.
        first: Duration,
        /// The longest.
        max: Duration,
    },
    /// Nothing changes until someone changes something; look again after this long.
    Later(Duration),
}

impl Retry {
    const fn backoff(first: u64, max: u64) -> Self {
        Self::Backoff {
            first: Duration::from_secs(first),
            max: Duration::from_secs(max),
        }
    }

    pub(crate) const fn of(class: Class) -> Self {
        match class {
            Class::Throttled | Class::Transient => Self::backoff(1, 60),
            // A new role or trust policy takes IAM some seconds to be known everywhere; a denial that stays
            // is looked at again, since nobody tells Alter that a policy changed.
            Class::Denied => Self::backoff(30, 300),
            Class::SourceRejected => Self::backoff(5, 120),
            Class::TooLarge | Class::InvalidInput => Self::later(600),
        }
    }

    const fn later(seconds: u64) -> Self {
        Self::Later(Duration::from_secs(seconds))
    }
}

impl IssueError {
    /// One of `alter_crds::condition::reason`, for conditions, events and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Plan(_) | Self::NoSource { .. } => reason::INVALID_SPEC,
            Self::SecretMissing { .. }
            | Self::SecretKey { .. }
            | Self::SecretForbidden { .. }
            | Self::ServiceAccountMissing { .. }
            | Self::TokenForbidden { .. } => reason::SOURCE_NOT_FOUND,
            Self::SecretRead { .. }
            | Self::SecretTimeout { .. }
            | Self::TokenRequest { .. }
            | Self::TokenTimeout { .. } => reason::UNAVAILABLE,
            Self::Certificate { .. } => reason::INVALID_CERTIFICATE,
            Self::RootUser { .. } => reason::ROOT_USER,
            Self::Source { source, .. } => reason(of_source(source)),
            Self::Entry { source, .. } => reason(source.class()),
            Self::Sts { source, .. } => reason(source.class()),
        }
    }

    /// When it is worth asking again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Plan(_) | Self::NoSource { .. } => Retry::later(600),
            Self::SecretMissing { .. }
            | Self::SecretKey { .. }
            | Self::SecretForbidden { .. }
            | Self::Certificate { .. }
            | Self::ServiceAccountMissing { .. }
            | Self::TokenForbidden { .. }
            | Self::RootUser { .. } => Retry::later(60),
            Self::SecretRead { .. }
            | Self::SecretTimeout { .. }
            | Self::TokenRequest { .. }
            | Self::TokenTimeout { .. } => Retry::backoff(1, 60),
            Self::Source { source, .. } => Retry::of(of_source(source)),
            Self::Entry { source, .. } => Retry::of(source.class()),
            Self::Sts { source, .. } => Retry::of(source.class()),
        }
    }

    pub(crate) fn sts(identity: &str, source: StsError) -> Self {
        Self::Sts {
            identity: identity.to_owned(),
            source,
        }
    }
}

/// What denies or refuses the identity's own role is, for a grant of another role, the source's fault.
const fn of_source(error: &EntryError) -> Class {
    match error.class() {
        Class::Denied | Class::TooLarge | Class::InvalidInput => Class::SourceRejected,
        class => class,
    }
}

/// The reason for a class of failure.
pub(crate) const fn reason(class: Class) -> &'static str {
    match class {
        Class::Throttled => reason::THROTTLED,
        Class::Transient => reason::UNAVAILABLE,
        Class::Denied => reason::ACCESS_DENIED,
        Class::SourceRejected => reason::SOURCE_REJECTED,
        Class::TooLarge => reason::PACKED_POLICY_TOO_LARGE,
        Class::InvalidInput => reason::INVALID_INPUT,
    }
}
