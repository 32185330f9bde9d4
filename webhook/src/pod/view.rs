//! What of a pod decides its injection, read without copying: unknown fields are skipped, texts are
//! borrowed from the request's body.

use serde::{Deserialize, Deserializer, de::SeqAccess};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData, ops::Deref};

/// A text that is borrowed unless its JSON form has escapes.
///
/// serde borrows a bare `Cow` field alone, not one inside an `Option` or a `Vec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Visitor).map(Text)
    }
}

/// Go writes absent lists and maps as `null` now and then.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A list, or `null`. What is read of an entry takes many times its text, and each container gets a patch of
/// its own: so a list has an end.
fn few<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Visitor<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> serde::de::Visitor<'de> for Visitor<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MOST} entries")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(entry) = entries.next_element()? {
                if list.len() == MOST {
                    return Err(serde::de::Error::invalid_length(MOST + 1, &self));
                }
                list.push(entry);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(Visitor::<T, MOST>(PhantomData))
}

/// Of containers.
const CONTAINERS: usize = 128;
/// Of what a pod or container has else.
const ENTRIES: usize = 2_048;

/// A pod as it comes to the webhook.
#[derive(Debug, Default, Deserialize)]
pub struct Pod<'a> {
    /// Its annotations.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// Its spec.
    #[serde(borrow, default)]
    pub spec: Spec<'a>,
}

/// The part of the metadata that counts.
#[derive(Debug, Default, Deserialize)]
pub struct Metadata<'a> {
    /// Those annotations that count.
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub annotations: Annotations<'a>,
    /// Those labels that count; none where the pod has no labels at all.
    #[serde(borrow, default)]
    pub labels: Option<Labels<'a>>,
}

/// Those labels that count; the names are those of `crds::names::pod`.
#[derive(Debug, Default, Deserialize)]
pub struct Labels<'a> {
    /// That the pod has its agent.
    #[serde(borrow, default, rename = "alter.dev/injected")]
    pub injected: Option<Text<'a>>,
    /// The broker's.
    #[serde(borrow, default, rename = "alter.dev/broker")]
    pub broker: Option<Text<'a>>,
}

/// Alter's own annotations and those of meshes, as written; the names are those of `crds::names::pod`.
#[derive(Debug, Default, Deserialize)]
pub struct Annotations<'a> {
    /// Grants.
    #[serde(borrow, default, rename = "alter.dev/grant")]
    pub grant: Option<Text<'a>>,
    /// Delivery.
    #[serde(borrow, default, rename = "alter.dev/delivery")]
    pub delivery: Option<Text<'a>>,
    /// Containers.
    #[serde(borrow, default, rename = "alter.dev/containers")]
    pub containers: Option<Text<'a>>,
    /// The agent's resources.
    #[serde(borrow, default, rename = "alter.dev/agent-resources")]
    pub agent_resources: Option<Text<'a>>,
    /// What becomes of conflicts.
    #[serde(borrow, default, rename = "alter.dev/conflict")]
    pub conflict: Option<Text<'a>>,
    /// Ports that Istio leaves alone.
    #[serde(
        borrow,
        default,
        rename = "traffic.sidecar.istio.io/excludeOutboundPorts"
    )]
    pub istio_exclusions: Option<Text<'a>>,
    /// Ports that Linkerd leaves alone.
    #[serde(borrow, default, rename = "config.linkerd.io/skip-outbound-ports")]
    pub linkerd_exclusions: Option<Text<'a>>,
}

/// The part of the spec that counts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    /// As they are: one of them may be the agent, which is compared whole.
    #[serde(default, deserialize_with = "few::<_, _, CONTAINERS>")]
    pub init_containers: Vec<Value>,
    /// The app's containers.
    #[serde(borrow, default, deserialize_with = "few::<_, _, CONTAINERS>")]
    pub containers: Vec<Container<'a>>,
    /// Volumes.
    #[serde(borrow, default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub volumes: Vec<Volume<'a>>,
    /// Pull secrets.
    #[serde(borrow, default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub image_pull_secrets: Vec<Named<'a>>,
    /// The service account; the API server has filled it in.
    #[serde(borrow, default)]
    pub service_account_name: Option<Text<'a>>,
    /// Whether the pod uses the node's network, and so its loopback.
    #[serde(default, deserialize_with = "nullable")]
    pub host_network: bool,
    /// The operating system that the pod says it is for.
    #[serde(borrow, default)]
    pub os: Option<Named<'a>>,
    /// The label that pods for Windows select nodes by.
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub node_selector: NodeSelector<'a>,
    /// What containers inherit.
    #[serde(default, deserialize_with = "nullable")]
    pub security_context: PodSecurityContext,
    /// Resources of the pod as a whole (Kubernetes 1.34).
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub resources: ContainerResources<'a>,
}

/// A thing with a name.
#[derive(Debug, Default, Deserialize)]
pub struct Named<'a> {
    /// The name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
}

/// The one label of the node selector that counts.
#[derive(Debug, Default, Deserialize)]
pub struct NodeSelector<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, default, rename = "kubernetes.io/os")]
    pub os: Option<Text<'a>>,
}

/// What the agent would inherit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSecurityContext {
    /// The user of every container that names none.
    #[serde(default)]
    pub run_as_user: Option<i64>,
}

/// A container, of whichever kind.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// Its name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Its variables.
    #[serde(borrow, default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub env: Vec<Variable<'a>>,
    /// Whole sets of variables, whose content is invisible here.
    #[serde(default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub env_from: Vec<serde::de::IgnoredAny>,
    /// Its mounts.
    #[serde(borrow, default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub volume_mounts: Vec<Mount<'a>>,
    /// Its ports.
    #[serde(default, deserialize_with = "few::<_, _, ENTRIES>")]
    pub ports: Vec<Port>,
    /// Its resources.
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub resources: ContainerResources<'a>,
}

/// A variable; one that comes from elsewhere has no value here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable<'a> {
    /// Its name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Its value, as text.
    #[serde(borrow, default)]
    pub value: Option<Text<'a>>,
    /// There where the value comes from elsewhere.
    #[serde(default)]
    pub value_from: Option<serde::de::IgnoredAny>,
}

/// A mount of a volume.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount<'a> {
    /// The volume.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Where.
    #[serde(borrow, default)]
    pub mount_path: Text<'a>,
    /// Whether writes fail.
    #[serde(default, deserialize_with = "nullable")]
    pub read_only: bool,
    /// A part of the volume.
    #[serde(borrow, default)]
    pub sub_path: Option<Text<'a>>,
    /// A part of the volume, by variables.
    #[serde(borrow, default)]
    pub sub_path_expr: Option<Text<'a>>,
    /// Whether mounts in the container reach the node.
    #[serde(borrow, default)]
    pub mount_propagation: Option<Text<'a>>,
}

/// A port.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its number.
    #[serde(default, deserialize_with = "nullable")]
    pub container_port: i64,
}

/// Requests and limits by the resource's name.
#[derive(Debug, Default, Deserialize)]
pub struct ContainerResources<'a> {
    /// What is reserved.
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub requests: BTreeMap<Text<'a>, Text<'a>>,
    /// What cannot be exceeded.
    #[serde(borrow, default, deserialize_with = "nullable")]
    pub limits: BTreeMap<Text<'a>, Text<'a>>,
}

/// A volume, as far as Alter's own are concerned.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume<'a> {
    /// Its name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Of a shared volume.
    #[serde(borrow, default)]
    pub empty_dir: Option<EmptyDir<'a>>,
    /// Of a grant's volume.
    #[serde(borrow, default)]
    pub secret: Option<SecretVolume<'a>>,
    /// Of the broker's volume, as it is: it is compared whole.
    #[serde(default)]
    pub projected: Option<Value>,
}

/// An `emptyDir`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDir<'a> {
    /// `Memory`, or the node's disk.
    #[serde(borrow, default)]
    pub medium: Option<Text<'a>>,
    /// How much fits.
    #[serde(borrow, default)]
    pub size_limit: Option<Text<'a>>,
}

/// A volume with a Secret's keys.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretVolume<'a> {
    /// The Secret.
    #[serde(borrow, default)]
    pub secret_name: Option<Text<'a>>,
    /// The files' mode.
    #[serde(default)]
    pub default_mode: Option<i64>,
    /// A choice of keys.
    #[serde(default, deserialize_with = "nullable")]
    pub items: Vec<serde::de::IgnoredAny>,
    /// Whether the pod starts without the Secret.
    #[serde(default, deserialize_with = "nullable")]
    pub optional: bool,
}

impl<'a> Container<'a> {
    /// Reads an init container.
    pub fn read(value: &'a Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }

    /// The variable of that name that counts: the last one.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable<'a>> {
        self.env
            .iter()
            .rev()
            .find(|variable| &*variable.name == name)
    }
}

impl Variable<'_> {
    /// The value where it is visible: an absent one is the empty text.
    #[must_use]
    pub fn visible(&self) -> Option<&str> {
        match (&self.value, &self.value_from) {
            (Some(value), _) => Some(value),
            (None, None) => Some(""),
            (None, Some(_)) => None,
        }
    }
}

impl Spec<'_> {
    /// The service account that the pod runs as.
    #[must_use]
    pub fn service_account(&self) -> &str {
        match self.service_account_name.as_deref() {
            None | Some("") => "default",
            Some(name) => name,
        }
    }

    /// Whether the pod is for nodes with Windows.
    #[must_use]
    pub fn is_for_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| &*os.name == "windows")
            || self.node_selector.os.as_deref() == Some("windows")
    }
}
