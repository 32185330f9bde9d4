//! The agent's resources, such that the pod keeps its quality-of-service class.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>

use super::{
    quantity::nanos,
    view::{ContainerResources, Text},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, str::FromStr};

/// The resources that make the class.
const CLASSED: [&str; 2] = ["cpu", "memory"];
/// The resources that the agent can be given.
const KNOWN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// What the agent gets in a Guaranteed pod where the settings name no amount.
const FALLBACK: [(&str, &str); 2] = [("cpu", "50m"), ("memory", "64Mi")];

/// Requests and limits, as written in the annotation and the program's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What is reserved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What cannot be exceeded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// Why a text is no set of resources.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// No JSON of that shape.
    #[error(
        r#"{0}: write JSON such as {{"requests":{{"cpu":"10m","memory":"16Mi"}},"limits":{{"memory":"64Mi"}}}}"#
    )]
    Json(#[from] serde_json::Error),
    /// A resource that the agent cannot use.
    #[error("{0:?} is no resource of the agent: write cpu, memory or ephemeral-storage")]
    Unknown(String),
    /// An amount that Kubernetes would not take.
    #[error("{resource}: {text:?} is no amount: write one such as 10m or 16Mi, in quotes")]
    Quantity {
        /// The resource.
        resource: String,
        /// Its amount.
        text: String,
    },
    /// More reserved than allowed.
    #[error("{resource}: the request {request} is more than the limit {limit}: raise the limit")]
    Order {
        /// The resource.
        resource: String,
        /// Its request.
        request: String,
        /// Its limit.
        limit: String,
    },
}

impl FromStr for Resources {
    type Err = ResourcesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An object first: serde would take a list for a struct, too.
        let object: serde_json::Map<_, _> = serde_json::from_str(text)?;
        let read: Self = serde_json::from_value(object.into())?;
        for (resource, text) in read.requests.iter().chain(&read.limits) {
            if !KNOWN.contains(&resource.as_str()) {
                return Err(ResourcesError::Unknown(resource.clone()));
            }
            if nanos(text).is_none_or(|amount| amount < 0) {
                return Err(ResourcesError::Quantity {
                    resource: resource.clone(),
                    text: text.clone(),
                });
            }
        }
        for (resource, limit) in &read.limits {
            if let Some(request) = read.requests.get(resource)
                && nanos(request) > nanos(limit)
            {
                return Err(ResourcesError::Order {
                    resource: resource.clone(),
                    request: request.clone(),
                    limit: limit.clone(),
                });
            }
        }
        Ok(read)
    }
}

/// The class that Kubernetes will give a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every container has limits for CPU and memory, and requests as much.
    Guaranteed,
    /// Some container asks for something.
    Burstable,
    /// No container asks for anything.
    BestEffort,
}

impl Class {
    /// Finds the class from the resources of all containers but the agent.
    pub fn of<'r, 'a: 'r>(containers: impl Iterator<Item = &'r ContainerResources<'a>>) -> Self {
        let (mut asks, mut guaranteed) = (false, true);
        for resources in containers {
            for name in CLASSED {
                let limit = amount(&resources.limits, name);
                // The API server fills in a request that is missing from the limit.
                let request = amount(&resources.requests, name).or(limit);
                asks |= limit.or(request).is_some();
                guaranteed &= limit.is_some() && request == limit;
            }
        }
        match (asks, guaranteed) {
            (false, _) => Self::BestEffort,
            (true, true) => Self::Guaranteed,
            (true, false) => Self::Burstable,
        }
    }
}

/// An amount of zero is none, as for the kubelet.
fn amount(amounts: &BTreeMap<Text<'_>, Text<'_>>, name: &str) -> Option<i128> {
    let (_, text) = amounts.iter().find(|(key, _)| &***key == name)?;
    nanos(text).filter(|amount| *amount > 0)
}

/// What the agent gets in a pod of this class; `None` leaves its resources open.
///
/// What the pod asks for by annotation counts as asked, but in a Guaranteed pod requests are still made
/// equal to limits. `whole_pod` says that the pod has resources of its own, which all its containers
/// share: there the agent asks for nothing, so that the containers' sum stays below the pod's.
#[must_use]
pub fn of_agent(
    class: Class,
    whole_pod: bool,
    asked: Option<&Resources>,
    default: &Resources,
) -> Option<Resources> {
    match (asked, class) {
        (Some(asked), _) if whole_pod => Some(asked.clone()),
        (None, _) if whole_pod => None,
        (asked, Class::Guaranteed) => Some(guaranteed(asked.unwrap_or(default), default)),
        (Some(asked), _) => Some(asked.clone()),
        (None, Class::Burstable) => Some(default.clone()),
        (None, Class::BestEffort) => None,
    }
}

fn guaranteed(chosen: &Resources, default: &Resources) -> Resources {
    let of = |resources: &Resources, name: &str| {
        let limit = resources.limits.get(name);
        let amount = limit.or_else(|| resources.requests.get(name));
        amount.filter(|text| nanos(text) > Some(0)).cloned()
    };
    let mut both = chosen.clone();
    for (name, fallback) in FALLBACK {
        let amount = of(chosen, name)
            .or_else(|| of(default, name))
            .unwrap_or_else(|| fallback.to_owned());
        both.requests.insert(name.to_owned(), amount.clone());
        both.limits.insert(name.to_owned(), amount);
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(containers: &[&str]) -> Class {
        let read: Vec<ContainerResources<'_>> = containers
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        Class::of(read.iter())
    }

    #[test]
    fn classes_follow_kubernetes() {
        const FULL: &str = r#"{"limits":{"cpu":"1","memory":"1Gi"}}"#;
        const EQUAL: &str =
            r#"{"requests":{"cpu":"1000m","memory":"1024Mi"},"limits":{"cpu":"1","memory":"1Gi"}}"#;
        for (containers, expected) in [
            (&["{}", "{}"][..], Class::BestEffort),
            (&[r#"{"requests":{"cpu":"0"}}"#], Class::BestEffort),
            (&[r#"{"limits":{"nvidia.com/gpu":"1"}}"#], Class::BestEffort),
            (&[FULL, EQUAL], Class::Guaranteed),
            (&[FULL, "{}"], Class::Burstable),
            (&[r#"{"limits":{"memory":"1Gi"}}"#], Class::Burstable),
            (
                &[r#"{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"2","memory":"1Gi"}}"#],
                Class::Burstable,
            ),
        ] {
            assert_eq!(class(containers), expected, "{containers:?}");
        }
    }

    #[test]
    fn a_guaranteed_pod_stays_so_whatever_is_asked_for() {
        let default = Resources::from_str(r#"{"requests":{"cpu":"10m"}}"#).unwrap();
        for asked in [
            None,
            Some("{}"),
            Some(r#"{"requests":{"cpu":"20m","memory":"16Mi"},"limits":{"memory":"32Mi"}}"#),
        ] {
            let asked = asked.map(|text| Resources::from_str(text).unwrap());
            let given = of_agent(Class::Guaranteed, false, asked.as_ref(), &default).unwrap();
            assert_eq!(given.requests, given.limits);
            assert_eq!(given.requests.len(), 2, "{given:?}");
        }
    }

    #[test]
    fn the_default_limit_is_the_guaranteed_amount() {
        let default = Resources::from_str(
            r#"{"requests":{"cpu":"10m","memory":"16Mi"},"limits":{"cpu":"200m","memory":"64Mi"}}"#,
        )
        .unwrap();
        let given = of_agent(Class::Guaranteed, false, None, &default).unwrap();
        assert_eq!(given.limits, default.limits);
        assert_eq!(given.requests, default.limits);
    }

    #[test]
    fn wrong_resources_are_named() {
        for (text, expected) in [
            ("", "write JSON such as"),
            ("[]", "write JSON such as"),
            (r#"{"request":{}}"#, "unknown field `request`"),
            (r#"{"requests":{"cpu":1}}"#, "write JSON such as"),
            (r#"{"requests":{"gpu":"1"}}"#, "\"gpu\" is no resource"),
            (r#"{"limits":{"memory":"64 MB"}}"#, "\"64 MB\" is no amount"),
            (r#"{"limits":{"memory":"-1"}}"#, "\"-1\" is no amount"),
            (
                r#"{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}"#,
                "the request 2 is more than the limit 1",
            ),
        ] {
            let message = Resources::from_str(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
