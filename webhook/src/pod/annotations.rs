//! The pod's annotations, read into what they ask for.

use super::{
    resources::{Resources, ResourcesError},
    view,
};
use alter_crds::names::pod as names;
use alter_policy::name::{self, NameError};
use alter_protocol::{Delivery, grant::UnknownDelivery};

/// So many names may stand in one annotation: each costs a look-up, and each grant a volume.
const NAMES_LIMIT: usize = 64;

/// What a pod asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The grants, in the order of the annotation; the first is the default profile. Never empty.
    pub grants: Vec<&'a str>,
    /// How the pod gets its sessions.
    pub delivery: Delivery,
    /// The containers that get them; all where `None`.
    pub containers: Option<Vec<&'a str>>,
    /// The agent's resources.
    pub agent_resources: Option<Resources>,
    /// The pod's own variables may outrank the delivery.
    pub keep_conflicts: bool,
}

/// An annotation that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum AnnotationError {
    /// Nothing but commas and spaces.
    #[error("annotation {annotation} names nothing: write {meant}, or remove the annotation")]
    Empty {
        /// The annotation.
        annotation: &'static str,
        /// What it holds otherwise.
        meant: &'static str,
    },
    /// Two commas in a row, or one at an end.
    #[error("annotation {annotation} has an empty name in {text:?}: remove the comma too many")]
    EmptyName {
        /// The annotation.
        annotation: &'static str,
        /// Its text.
        text: String,
    },
    /// More names than a pod can need.
    #[error("annotation {annotation} names more than {NAMES_LIMIT}: remove some")]
    TooMany {
        /// The annotation.
        annotation: &'static str,
    },
    /// A name that stands twice.
    #[error("annotation {annotation} names {name:?} twice: remove one")]
    Twice {
        /// The annotation.
        annotation: &'static str,
        /// The name.
        name: String,
    },
    /// A name that no grant can have.
    #[error("annotation {annotation}: {0}", annotation = names::GRANT)]
    GrantName(NameError),
    /// A delivery that does not exist.
    #[error("annotation {annotation}: {0}", annotation = names::DELIVERY)]
    Delivery(UnknownDelivery),
    /// Resources that cannot be read.
    #[error("annotation {annotation}: {0}", annotation = names::AGENT_RESOURCES)]
    AgentResources(ResourcesError),
    /// A value other than `keep`.
    #[error(
        "annotation {annotation}: {0:?} means nothing: write {keep}, or remove the annotation",
        annotation = names::CONFLICT,
        keep = names::CONFLICT_KEEP
    )]
    Conflict(String),
}

impl<'a> Asked<'a> {
    /// Reads the annotations; `None` where the pod asks for no grant.
    pub fn read(annotations: &'a view::Annotations<'_>) -> Result<Option<Self>, AnnotationError> {
        let Some(grants) = annotations.grant.as_deref() else {
            return Ok(None);
        };
        let grants = list(grants, names::GRANT, "the name of an AwsGrant")?;
        for grant in &grants {
            name::check_grant_name(grant).map_err(AnnotationError::GrantName)?;
        }
        let delivery = match annotations.delivery.as_deref() {
            None => Delivery::Process,
            Some(text) => text.trim().parse().map_err(AnnotationError::Delivery)?,
        };
        let containers = annotations.containers.as_deref();
        let agent_resources = annotations.agent_resources.as_deref();
        Ok(Some(Self {
            grants,
            delivery,
            containers: containers
                .map(|text| list(text, names::CONTAINERS, "names of the pod's containers"))
                .transpose()?,
            agent_resources: agent_resources
                .map(|text| text.parse().map_err(AnnotationError::AgentResources))
                .transpose()?,
            keep_conflicts: match annotations.conflict.as_deref() {
                None => false,
                Some(names::CONFLICT_KEEP) => true,
                Some(other) => return Err(AnnotationError::Conflict(other.to_owned())),
            },
        }))
    }
}

/// A comma-separated list; spaces around names do not count.
fn list<'a>(
    text: &'a str,
    annotation: &'static str,
    meant: &'static str,
) -> Result<Vec<&'a str>, AnnotationError> {
    if text.chars().all(|c| c == ',' || c.is_whitespace()) {
        return Err(AnnotationError::Empty { annotation, meant });
    }
    if text.split(',').nth(NAMES_LIMIT).is_some() {
        return Err(AnnotationError::TooMany { annotation });
    }
    let mut listed = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() {
            let text = text.to_owned();
            return Err(AnnotationError::EmptyName { annotation, text });
        }
        if listed.contains(&name) {
            let name = name.to_owned();
            return Err(AnnotationError::Twice { annotation, name });
        }
        listed.push(name);
    }
    Ok(listed)
}
