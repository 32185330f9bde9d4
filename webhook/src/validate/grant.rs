//! An `AwsGrant` that is created, or whose spec or revocation changes.

use alter_crds::{
    AwsGrant, AwsGrantSpec, AwsIdentity, condition,
    field::FieldError,
    grant::{NotAllowed, Store, allows},
    names::grant::REVOKE_BEFORE,
    session,
};
use alter_policy::refresh;
use kube::ResourceExt;
use std::collections::BTreeMap;

/// What a grant refers to, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The identity.
    pub identity: Known<'a>,
    /// The labels of the grant's namespace, or why nobody knows them.
    pub namespace_labels: Result<&'a BTreeMap<String, String>, &'a str>,
    /// Where the grant is new: another grant of the namespace whose session is in the same Secret.
    pub same_secret: Option<&'a str>,
    /// Whether the installation has a broker.
    pub has_broker: bool,
}

/// An identity that may not be there, and may not be known to be there.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// It is there.
    Present(&'a AwsIdentity),
    /// It is not.
    Absent,
    /// For this reason nobody knows.
    Unknown(&'a str),
}

/// Whether there is anything to check: what is deleted or suspended, or keeps its spec, always passes, so
/// that a grant whose identity changed can still be labelled, finalised and taken away.
#[must_use]
pub fn is_free(new: &AwsGrant, old: Option<&AwsGrant>) -> bool {
    new.spec.suspend
        || new.metadata.deletion_timestamp.is_some()
        || old.is_some_and(|old| {
            let cut = |grant: &AwsGrant| grant.annotations().get(REVOKE_BEFORE).cloned();
            old.spec == new.spec && cut(old) == cut(new)
        })
}

/// Checks a grant; gives warnings for its author.
pub fn check(
    grant: &AwsGrant,
    namespace: &str,
    around: Surroundings<'_>,
) -> Result<Vec<String>, Denial> {
    let spec = &grant.spec;
    spec.check()?;
    grant.revoke_before()?;
    if let Some(other) = around.same_secret {
        return Err(Denial::Invalid(FieldError::new(
            "spec.secretName",
            &format!(
                "Secret {:?} is that of AwsGrant {other:?}: choose another name",
                grant.secret_name()
            ),
        )));
    }
    let mut warnings = Vec::new();
    check_identity(spec, namespace, around, &mut warnings)?;
    if spec.store == Store::Broker && !around.has_broker {
        warnings.push(
            "spec.store: this installation has no broker: the grant waits until broker.enabled is set in the chart's values"
                .to_owned(),
        );
    }
    if spec.duration() < refresh::SHORT_LIFE {
        warnings.push(format!(
            "spec.durationSeconds: {} is short: below {} SDKs may find a session about to expire; write 3600",
            spec.duration_seconds,
            refresh::SHORT_LIFE.as_secs()
        ));
    }
    if spec.deliveries().is_empty() {
        warnings.push(format!(
            "spec.deliveries: no pod can use the grant, as imds asks for spec.durationSeconds of {} or more and spec.refreshBefore of {}m or more",
            refresh::IMDS_LIFE.as_secs(),
            refresh::IMDS_LEFT.as_mins()
        ));
    }
    Ok(warnings)
}

/// Why a grant is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A field cannot be used.
    #[error(transparent)]
    Invalid(#[from] FieldError),
    /// The identity does not allow it.
    #[error("AwsIdentity {identity:?} does not allow this grant: {source}")]
    NotAllowed {
        /// The identity's name.
        identity: String,
        /// Which rule, and why.
        source: NotAllowed,
    },
}

impl Denial {
    /// The metrics' `reason`: the condition's that the operator would set.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Invalid(_) => condition::reason::INVALID_SPEC,
            Self::NotAllowed { .. } => condition::reason::NOT_ALLOWED,
        }
    }
}

fn check_identity(
    spec: &AwsGrantSpec,
    namespace: &str,
    around: Surroundings<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Denial> {
    let name = &spec.identity;
    let identity = match around.identity {
        Known::Present(identity) => identity,
        Known::Absent => {
            warnings.push(format!(
                "spec.identity: there is no AwsIdentity {name:?} yet: the grant waits for it"
            ));
            return Ok(());
        }
        Known::Unknown(why) => {
            warnings.push(format!(
                "spec.identity: AwsIdentity {name:?} was not checked: {why}"
            ));
            return Ok(());
        }
    };
    match around.namespace_labels {
        Ok(labels) => {
            allows(&identity.spec, spec, namespace, labels).map_err(|source| {
                Denial::NotAllowed {
                    identity: name.clone(),
                    source,
                }
            })?;
        }
        Err(why) => warnings.push(format!(
            "the rules of AwsIdentity {name:?} were not checked: {why}"
        )),
    }
    let status = identity.status.as_ref();
    if !status.is_some_and(|status| condition::is_true(&status.conditions, condition::READY)) {
        warnings.push(format!(
            "AwsIdentity {:?} is not ready: the grant waits for it",
            identity.name_any()
        ));
    }
    // What AWS says of the identity may change: its cap is a warning.
    if let Err(capped) = session::check_cap(identity, spec) {
        warnings.push(capped.to_string());
    }
    session::check(identity, spec)?;
    Ok(())
}
