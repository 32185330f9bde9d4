//! Why a pod is denied.

use super::annotations::AnnotationError;
use alter_crds::{condition::reason, names::pod as names};
use alter_policy::refresh;
use alter_protocol::{Delivery, pod::SHARED_DIR};

/// Why a pod is denied. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// An annotation cannot be followed.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// A container is named that the pod does not have.
    #[error(
        "annotation {} names container {name:?}, and the pod has {has}: name some of these",
        names::CONTAINERS
    )]
    UnknownContainer {
        /// As in the annotation.
        name: String,
        /// The names of the pod's containers.
        has: String,
    },
    /// An init container that is none.
    #[error("spec.initContainers[{index}] cannot be read: {source}; write it as Kubernetes has it")]
    InitContainer {
        /// Its index.
        index: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A pod for Windows.
    #[error(
        "Alter's agent runs on Linux alone, and the pod is for Windows: remove annotation {}, or use Linux nodes",
        names::GRANT
    )]
    Windows,
    /// A listener on loopback in the node's network.
    #[error(
        "a pod with hostNetwork shares loopback with its node, where delivery {0} would be open to others: set annotation {delivery} to process",
        delivery = names::DELIVERY
    )]
    HostNetwork(Delivery),
    /// A container of the pod's own has the agent's name.
    #[error(
        "container name {} is Alter's own, and the pod has a container of that name that is not the agent: rename it",
        names::AGENT_CONTAINER
    )]
    AgentName,
    /// A volume of the pod's own has a name of Alter's.
    #[error("volume name {0} is Alter's own, and the pod has such a volume: rename it")]
    VolumeName(String),
    /// A container mounts a volume of Alter's by itself.
    #[error(
        "container {container:?} mounts volume {volume} itself: remove the mount, Alter adds what the container needs"
    )]
    VolumeMount {
        /// The container.
        container: String,
        /// The volume.
        volume: String,
    },
    /// A container has something else where the shared volume belongs.
    #[error(
        "container {0:?} mounts another volume at {SHARED_DIR}, which is Alter's: mount it elsewhere"
    )]
    MountPath(String),
    /// A grant that is not for the pod's service account.
    #[error(
        "AwsGrant {grant:?} is not for the pod's service account {account:?}: spec.serviceAccounts allows {allowed}; use one of these, or have {account:?} added"
    )]
    ServiceAccount {
        /// The grant.
        grant: String,
        /// The pod's.
        account: String,
        /// The grant's.
        allowed: String,
    },
    /// A grant that is not for the pod's delivery.
    #[error(
        "AwsGrant {grant:?} is not for delivery {delivery}: spec.deliveries allows {allowed}; set annotation {} to one of these, or have {delivery} added",
        names::DELIVERY
    )]
    Delivery {
        /// The grant.
        grant: String,
        /// The pod's.
        delivery: Delivery,
        /// The grant's.
        allowed: String,
    },
    /// A grant whose sessions are too short for instance metadata.
    #[error(
        "AwsGrant {grant:?} is not fit for delivery imds, whose SDKs use a session past its end unless 25 minutes of it are left: have its spec.durationSeconds set to {} or more and spec.refreshBefore to {}m or more, or set annotation {} to another",
        refresh::IMDS_LIFE.as_secs(),
        refresh::IMDS_LEFT.as_mins(),
        names::DELIVERY
    )]
    UnfitForImds {
        /// The grant.
        grant: String,
    },
    /// A grant whose sessions come from a broker that is not there.
    #[error(
        "AwsGrant {0:?} has store Broker, and this installation has no broker: set spec.store to Secret, or ask the platform team to set broker.enabled in the chart's values"
    )]
    NoBroker(String),
    /// Variables of the pod that an SDK would follow in place of the delivery.
    #[error(
        "{variables}, which would outrank delivery {delivery}: remove what is named, or annotate the pod with {}: {} to keep it so",
        names::CONFLICT,
        names::CONFLICT_KEEP
    )]
    Conflict {
        /// Which container sets which.
        variables: String,
        /// The pod's.
        delivery: Delivery,
    },
}

impl Denial {
    /// The metrics' `reason`: a condition's where operator or broker would say the same.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Annotation(_) | Self::UnknownContainer { .. } => "InvalidAnnotation",
            Self::InitContainer { .. } => "InvalidPod",
            Self::Windows => "Windows",
            Self::HostNetwork(_) => "HostNetwork",
            Self::AgentName
            | Self::VolumeName(_)
            | Self::VolumeMount { .. }
            | Self::MountPath(_) => "ReservedName",
            Self::ServiceAccount { .. } => reason::SERVICE_ACCOUNT_NOT_ALLOWED,
            Self::Delivery { .. } | Self::UnfitForImds { .. } => reason::DELIVERY_NOT_ALLOWED,
            Self::NoBroker(_) => reason::BROKER_DISABLED,
            Self::Conflict { .. } => "Conflict",
        }
    }
}
