//! What counts of a pod. Its metadata alone is asked for, and most of that is not even read: a page of pods would
//! else weigh as much as a thousand grants.

use alter_policy::name::check_grant_name;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
};
use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use std::{borrow::Cow, collections::BTreeSet};

/// The webhook denies pods that name more.
const NAMES_LIMIT: usize = 64;
/// What makes another pod in the place of one that goes, whatever became of that: by group and version, and kind.
/// A Job would count it as failed.
const REMAKES: [(&str, &str); 4] = [
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("v1", "ReplicationController"),
];

/// A pod, as far as it counts.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    metadata: ObjectMeta,
    /// Whether it has the annotation.
    pub(crate) asks: bool,
    /// The grants that the annotation names, of the pod's namespace.
    pub(crate) grants: BTreeSet<String>,
    /// Whether a node runs it by itself.
    pub(crate) is_mirror: bool,
    /// UID of the controller that makes another one in its place.
    pub(crate) remade_by: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

/// The names are those of `crds::names::pod`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "alter.dev/grant")]
    grant: Option<String>,
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<IgnoredAny>,
}

impl Seen {
    pub(crate) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// When it was created, to the second.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|at| at.0)
    }

    /// Whether it asks for grants, stays, and could have been injected.
    pub(crate) fn should_have_an_agent(&self) -> bool {
        self.asks && !self.is_mirror && self.metadata.deletion_timestamp.is_none()
    }

    /// What its events are about.
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            // Each time that it is told of, it is the pod and not its version.
            resource_version: None,
            ..self.object_ref(&())
        }
    }
}

/// Those of an annotation that can be names; spaces around them do not count.
fn names(text: &str) -> BTreeSet<String> {
    let names = text.split(',').take(NAMES_LIMIT).map(str::trim);
    names
        .filter(|name| check_grant_name(name).is_ok())
        .map(str::to_owned)
        .collect()
}

fn remade_by(owners: Vec<OwnerReference>) -> Option<String> {
    let controller = owners
        .into_iter()
        .find(|own| own.controller == Some(true))?;
    let own = (&*controller.api_version, &*controller.kind);
    REMAKES.contains(&own).then_some(controller.uid)
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Metadata {
            name,
            namespace,
            uid,
            resource_version,
            creation_timestamp,
            deletion_timestamp,
            annotations,
            owner_references,
        } = Object::deserialize(deserializer)?.metadata;
        let annotations = annotations.unwrap_or_default();
        Ok(Self {
            metadata: ObjectMeta {
                name,
                namespace,
                uid,
                resource_version,
                creation_timestamp,
                deletion_timestamp,
                ..ObjectMeta::default()
            },
            asks: annotations.grant.is_some(),
            grants: names(annotations.grant.as_deref().unwrap_or_default()),
            is_mirror: annotations.mirror.is_some(),
            remade_by: remade_by(owner_references.unwrap_or_default()),
        })
    }
}

impl Resource for Seen {
    type DynamicType = ();
    type Scope = <Pod as Resource>::Scope;

    fn metadata_api() -> bool {
        true
    }

    fn kind((): &()) -> Cow<'_, str> {
        Pod::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Pod::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Pod::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Pod::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_crds::names::pod;
    use serde_json::{Value, json};

    fn seen(metadata: &Value) -> Seen {
        let object = json!({"kind": "PartialObjectMetadata", "metadata": metadata});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_annotation_names_grants_and_what_is_no_name_is_none() {
        let asking = |text: &str| seen(&json!({"annotations": {(pod::GRANT): text}}));
        let names = |own: &Seen| own.grants.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&asking(" b , a,a,B,c/d,")), ["a", "b"]);
        let empty = asking("");
        assert!(empty.asks && empty.should_have_an_agent() && names(&empty).is_empty());
        let many = (0..1_000).map(|n| format!("g{n}")).collect::<Vec<_>>();
        assert_eq!(asking(&many.join(",")).grants.len(), NAMES_LIMIT);
        let none = seen(&json!({"annotations": {"other": "a"}, "labels": {(pod::GRANT): "a"}}));
        assert!(!none.asks && !none.should_have_an_agent());
    }

    #[test]
    fn who_leaves_or_is_a_nodes_own_needs_no_agent() {
        let annotations = json!({(pod::GRANT): "a", (pod::MIRROR): "f00"});
        assert!(!seen(&json!({"annotations": annotations})).should_have_an_agent());
        let leaving = json!({"annotations": {(pod::GRANT): "a"},
            "deletionTimestamp": "2026-11-22T04:00:00Z"});
        assert!(!seen(&leaving).should_have_an_agent());
    }

    #[test]
    fn only_controllers_that_make_another_pod_count() {
        let owned = |version: &str, kind: &str, controller: bool| {
            let owner = json!({"apiVersion": version, "kind": kind, "name": "o", "uid": "o-1",
                "controller": controller});
            seen(&json!({"ownerReferences": [owner]})).remade_by
        };
        let some = Some("o-1".to_owned());
        assert_eq!(owned("apps/v1", "ReplicaSet", true), some);
        assert_eq!(owned("v1", "ReplicationController", true), some);
        assert_eq!(owned("apps/v1", "ReplicaSet", false), None);
        assert_eq!(owned("batch/v1", "Job", true), None);
        assert_eq!(owned("example.com/v1", "ReplicaSet", true), None);
        assert_eq!(seen(&json!({})).remade_by, None);
    }

    #[test]
    fn its_metadata_alone_is_asked_for() {
        assert!(Seen::metadata_api());
        assert_eq!(Seen::url_path(&(), Some("a")), "/api/v1/namespaces/a/pods");
        let pod =
            seen(&json!({"name": "app", "namespace": "a", "uid": "u", "resourceVersion": "7"}));
        let reference = pod.reference();
        assert_eq!(reference.kind.as_deref(), Some("Pod"));
        assert_eq!(
            (reference.uid.as_deref(), reference.resource_version),
            (Some("u"), None)
        );
    }
}
