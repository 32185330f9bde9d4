//! What a pod gets whose sessions come from the broker: a token and the broker's CA for its agent alone, the label by
//! which the broker follows it, and the annotations that keep the broker's port out of service meshes.

use super::{
    denial::Denial,
    grant::GrantView,
    patch::Builder,
    view::{Metadata, Text, Volume},
};
use alter_crds::{
    grant::Store,
    names::{broker as names, pod},
};
use alter_protocol::{
    broker::AUDIENCE,
    pod::{BROKER_CA, BROKER_DIR, BROKER_TOKEN, env},
};
use serde_json::{Value, json};
use std::str::FromStr;

/// How long a token is good for, in seconds; the kubelet renews it at four fifths.
const TOKEN_SECONDS: i64 = 3_600;
/// Readable by whatever user the agent runs as; the volume is mounted into the agent alone.
const MODE: i64 = 0o444;

/// Where the installation's broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    url: String,
    port: u16,
}

impl FromStr for Broker {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let port = url
            .strip_prefix("https://")
            .and_then(|authority| authority.rsplit_once(':'))
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse().ok());
        port.map(|port| Self {
            url: url.to_owned(),
            port,
        })
        .ok_or_else(|| {
            format!(
                "{url:?} is no https URL with a port: write one such as https://alter-broker.alter-system.svc:9914"
            )
        })
    }
}

/// Where the agent gets a grant's session from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Secret, which holds the pod until it is there.
    Secret,
    /// The broker.
    Broker,
    /// One of both, as the grant will say once it is there: neither holds the pod, the agent does.
    Either,
}

impl Place {
    /// Where the session of a grant comes from, with or without a broker in the installation.
    #[must_use]
    pub fn of(view: &GrantView<'_>, broker: Option<&Broker>) -> Self {
        match view.grant.map(|own| own.spec.store) {
            Some(Store::Broker) => Self::Broker,
            None if broker.is_some() => Self::Either,
            Some(Store::Secret) | None => Self::Secret,
        }
    }
}

/// What of a pod concerns the broker.
#[derive(Debug)]
pub struct Wanted<'a> {
    broker: &'a Broker,
    grants: Vec<&'a str>,
    /// The CA need not be there when the pod starts.
    is_optional: bool,
}

impl<'a> Wanted<'a> {
    /// None where the pod has nothing to do with the broker; denies the pod whose grant needs one that is not installed.
    pub fn of(
        grants: &[GrantView<'a>],
        broker: Option<&'a Broker>,
    ) -> Result<Option<Self>, Denial> {
        let of = |place| {
            let all = grants.iter();
            all.filter(move |view| Place::of(view, broker) == place)
        };
        let Some(broker) = broker else {
            let needs_one = of(Place::Broker).next();
            return needs_one.map_or(Ok(None), |view| Err(Denial::NoBroker(view.name.to_owned())));
        };
        let names: Vec<_> = grants
            .iter()
            .filter(|view| Place::of(view, Some(broker)) != Place::Secret)
            .map(|view| view.name)
            .collect();
        Ok((!names.is_empty()).then(|| Self {
            broker,
            grants: names,
            is_optional: of(Place::Broker).next().is_none(),
        }))
    }

    /// The volume with token and CA.
    #[must_use]
    pub fn volume(&self) -> Value {
        let mut ca = json!({
            "name": names::CA_CONFIG_MAP,
            "items": [{"key": names::CA, "path": BROKER_CA}],
        });
        if self.is_optional {
            ca["optional"] = json!(true);
        }
        let token = json!({
            "audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": BROKER_TOKEN,
        });
        let sources = json!([{"serviceAccountToken": token}, {"configMap": ca}]);
        json!({
            "name": pod::BROKER_VOLUME,
            "projected": {"defaultMode": MODE, "sources": sources},
        })
    }

    /// Whether the volume is just what [`Wanted::volume`] gives.
    #[must_use]
    pub fn is_volume(&self, volume: &Volume<'_>) -> bool {
        volume.empty_dir.is_none()
            && volume.secret.is_none()
            && volume.projected.as_ref() == self.volume().get("projected")
    }

    /// The agent's mount of it.
    #[must_use]
    pub fn mount(&self) -> Value {
        json!({"name": pod::BROKER_VOLUME, "mountPath": BROKER_DIR, "readOnly": true})
    }

    /// The agent's variables.
    #[must_use]
    pub fn variables(&self) -> [Value; 2] {
        [
            json!({"name": env::BROKER_URL, "value": self.broker.url}),
            json!({"name": env::BROKER_GRANTS, "value": self.grants.join(",")}),
        ]
    }

    /// Labels the pod, and keeps the broker's port out of service meshes.
    pub(super) fn mark(&self, metadata: &Metadata<'_>, patch: &mut Builder) {
        let labels = metadata.labels.as_ref();
        let own = labels.and_then(|labels| labels.broker.as_deref());
        if own != Some(pod::BROKER_ASKS) {
            // The one that says that the pod is injected is there by now.
            patch.set_metadata("labels", false, pod::BROKER, pod::BROKER_ASKS);
        }
        let annotations = &metadata.annotations;
        let excluded = [
            &annotations.istio_exclusions,
            &annotations.linkerd_exclusions,
        ];
        for (name, there) in pod::MESH_EXCLUSIONS.into_iter().zip(excluded) {
            if let Some(text) = with_port(there.as_ref(), self.broker.port) {
                // The pod names its grants in an annotation, so there are some.
                patch.set_metadata("annotations", false, name, &text);
            }
        }
    }
}

/// The list with the port; none where it holds it already.
fn with_port(list: Option<&Text<'_>>, port: u16) -> Option<String> {
    let list = list.map_or("", |text| text.trim());
    let port = port.to_string();
    if list.split(',').any(|own| own.trim() == port) {
        return None;
    }
    if list.is_empty() {
        return Some(port);
    }
    Some(format!("{list},{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_its_port_is_none() {
        let good: Broker = "https://alter-broker.alter.svc:9914".parse().unwrap();
        assert_eq!(good.port, 9_914);
        for bad in [
            "",
            "https://broker",
            "http://broker:1",
            "https://:1",
            "https://a:b",
        ] {
            assert!(bad.parse::<Broker>().is_err(), "{bad}");
        }
    }
}
