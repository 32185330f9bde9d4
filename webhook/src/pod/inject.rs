//! The injection itself.

use super::{
    agent_container::{self, Settings},
    annotations::Asked,
    broker::{self, Place},
    denial::Denial,
    env,
    grant::{self, GrantView},
    patch::{Builder, List},
    resources::{Class, of_agent},
    view::{Container, Metadata, Pod, Spec},
    volumes,
};
use alter_crds::names::pod as names;
use alter_protocol::{Delivery, pod::ENDPOINT_ADDRESS};
use json_patch::Patch;
use serde_json::{Value, json};

/// What becomes of a pod that is admitted.
#[derive(Debug)]
pub struct Injection {
    /// Empty where the pod is as it should be.
    pub patch: Patch,
    /// For the pod's author.
    pub warnings: Vec<String>,
}

/// Decides how a pod gets what it asks for. `grants` are those of `asked`, in its order.
///
/// A pod that is injected already gives an empty patch, or one that covers what was added since and
/// corrects what is Alter's own.
pub fn inject(
    pod: &Pod<'_>,
    asked: &Asked<'_>,
    grants: &[GrantView<'_>],
    settings: &Settings,
) -> Result<Injection, Denial> {
    let spec = &pod.spec;
    // 1. What the agent cannot serve, and what the grants exclude.
    check_pod(spec, asked)?;
    grant::check(grants, asked, spec.service_account())?;
    let broker = broker::Wanted::of(grants, settings.broker.as_ref())?;

    // 2. Each of the pod's own containers.
    let agent_at = agent_container::find(&spec.init_containers)?;
    let inits = own_init_containers(spec, agent_at)?;
    let own = || {
        let inits = inits
            .iter()
            .map(|(index, container)| (List::InitContainers, *index, container));
        let apps = spec.containers.iter().enumerate();
        inits.chain(apps.map(|(index, container)| (List::Containers, index, container)))
    };
    check_names(own().map(|(_, _, container)| container), asked)?;
    let mut equipment = Equipment {
        asked,
        grants,
        patch: Builder::default(),
        conflicts: Vec::new(),
        warnings: Vec::new(),
    };
    grant::warn(grants, &mut equipment.warnings);
    for (list, index, container) in own() {
        equipment.give((list, index), container)?;
    }
    let (mut patch, warnings) = equipment.finish()?;

    // 3. The agent, its volumes, and what its image is pulled with.
    let asks = || own().map(|(_, _, container)| &container.resources);
    let whole_pod = !spec.resources.requests.is_empty() || !spec.resources.limits.is_empty();
    let resources = of_agent(
        Class::of(asks()),
        whole_pod,
        asked.agent_resources.as_ref(),
        &settings.resources,
    );
    let wanted = agent_container::wanted(
        asked,
        grants,
        broker.as_ref(),
        resources.as_ref(),
        spec,
        settings,
    );
    place_agent(spec, agent_at, wanted, &mut patch);
    let places = Places {
        grants,
        broker: broker.as_ref(),
        settings,
    };
    places.put(spec, agent_at.is_some(), &mut patch)?;
    mark(&pod.metadata, &mut patch);
    if let Some(broker) = &broker {
        broker.mark(&pod.metadata, &mut patch);
    }
    add_pull_secrets(spec, &settings.pull_secrets, &mut patch);
    Ok(Injection {
        patch: patch.finish(),
        warnings,
    })
}

/// Labels the pod, by which the operator tells it from one that the webhook never saw.
fn mark(metadata: &Metadata<'_>, patch: &mut Builder) {
    let labels = metadata.labels.as_ref();
    let own = labels.and_then(|labels| labels.injected.as_deref());
    if own != Some(names::INJECTED_TRUE) {
        let (key, value) = (names::INJECTED, names::INJECTED_TRUE);
        patch.set_metadata("labels", labels.is_none(), key, value);
    }
}

fn check_pod(spec: &Spec<'_>, asked: &Asked<'_>) -> Result<(), Denial> {
    if spec.is_for_windows() {
        return Err(Denial::Windows);
    }
    if spec.host_network && asked.delivery != Delivery::Process {
        return Err(Denial::HostNetwork(asked.delivery));
    }
    Ok(())
}

/// The init containers but the agent, with their indices.
fn own_init_containers<'p>(
    spec: &'p Spec<'_>,
    agent_at: Option<usize>,
) -> Result<Vec<(usize, Container<'p>)>, Denial> {
    let values = spec.init_containers.iter().enumerate();
    values
        .filter(|(index, _)| Some(*index) != agent_at)
        .map(|(index, value)| match Container::read(value) {
            Ok(container) => Ok((index, container)),
            Err(source) => Err(Denial::InitContainer { index, source }),
        })
        .collect()
}

/// The agent's name is taken by nothing else, and the annotation names containers that are there.
fn check_names<'c>(
    own: impl Iterator<Item = &'c Container<'c>>,
    asked: &Asked<'_>,
) -> Result<(), Denial> {
    let own: Vec<&str> = own.map(|container| &*container.name).collect();
    if own.contains(&names::AGENT_CONTAINER) {
        return Err(Denial::AgentName);
    }
    let mut named = asked.containers.iter().flatten();
    match named.find(|name| !own.contains(*name)) {
        None => Ok(()),
        Some(unknown) => Err(Denial::UnknownContainer {
            name: (*unknown).to_owned(),
            has: own.join(", "),
        }),
    }
}

/// What the pod's containers get, and what stands in its way.
struct Equipment<'a> {
    asked: &'a Asked<'a>,
    grants: &'a [GrantView<'a>],
    patch: Builder,
    conflicts: Vec<String>,
    warnings: Vec<String>,
}

impl Equipment<'_> {
    fn give(&mut self, at: (List, usize), container: &Container<'_>) -> Result<(), Denial> {
        let selected = self
            .asked
            .containers
            .as_ref()
            .is_none_or(|names| names.contains(&&*container.name));
        let mounted = volumes::has_app_mount(container, selected)?;
        if !selected {
            return Ok(());
        }
        let delivery = self.asked.delivery;
        let outranking = env::outranking(container, delivery, self.grants);
        if !outranking.is_empty() {
            self.conflicts.push(format!(
                "container {:?} sets {}",
                &*container.name,
                outranking.join(", ")
            ));
        }
        env::warn(container, delivery, &mut self.warnings);
        if delivery != Delivery::Process && takes_endpoint(container) {
            self.warnings.push(format!(
                "container {:?} has a port of the agent's endpoint {ENDPOINT_ADDRESS}: only one of them can listen",
                &*container.name
            ));
        }
        let missing = env::missing(container, delivery, self.grants);
        let variables = missing
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let no_env = container.env.is_empty();
        self.patch.append_to_container(at, "env", no_env, variables);
        if !mounted {
            let no_mounts = container.volume_mounts.is_empty();
            let mount = vec![volumes::app_mount()];
            self.patch
                .append_to_container(at, "volumeMounts", no_mounts, mount);
        }
        Ok(())
    }

    /// Conflicts deny the pod, unless it keeps them.
    fn finish(mut self) -> Result<(Builder, Vec<String>), Denial> {
        if !self.conflicts.is_empty() && !self.asked.keep_conflicts {
            return Err(Denial::Conflict {
                variables: self.conflicts.join("; "),
                delivery: self.asked.delivery,
            });
        }
        let kept = self.conflicts.into_iter().map(|conflict| {
            format!("{conflict}, which is kept: SDKs may follow that in place of the grant")
        });
        self.warnings.extend(kept);
        Ok((self.patch, self.warnings))
    }
}

/// Whether the container says that it listens where the agent does.
fn takes_endpoint(container: &Container<'_>) -> bool {
    let port = ENDPOINT_ADDRESS.rsplit(':').next();
    container
        .ports
        .iter()
        .any(|own| port == Some(own.container_port.to_string().as_str()))
}

/// An agent that is there stays where it is; a new one comes before everything that may need it.
fn place_agent(spec: &Spec<'_>, agent_at: Option<usize>, wanted: Value, patch: &mut Builder) {
    let Some(index) = agent_at else {
        return patch.insert_init_container(spec.init_containers.is_empty(), wanted);
    };
    let existing = &spec.init_containers[index];
    let corrected = agent_container::corrected(existing, wanted);
    if corrected != *existing {
        patch.replace("initContainers", index, corrected);
    }
}

/// Where the agent has its sessions from.
struct Places<'a> {
    grants: &'a [GrantView<'a>],
    broker: Option<&'a broker::Wanted<'a>>,
    settings: &'a Settings,
}

impl Places<'_> {
    /// Volumes of an injected pod are corrected; where the agent is not there yet, their names must be free.
    fn put(&self, spec: &Spec<'_>, injected: bool, patch: &mut Builder) -> Result<(), Denial> {
        let find = |name: &str| {
            let mut volumes = spec.volumes.iter().enumerate();
            volumes.find(|(_, volume)| &*volume.name == name)
        };
        let mut added = Vec::new();
        let mut place = |name: &str, wanted: Value, right: &dyn Fn(&_) -> bool| {
            match find(name) {
                None => added.push(wanted),
                Some(_) if !injected => return Err(Denial::VolumeName(name.to_owned())),
                Some((_, volume)) if right(volume) => {}
                Some((index, _)) => patch.replace("volumes", index, wanted),
            }
            Ok(())
        };
        place(names::SHARED_VOLUME, volumes::shared(), &volumes::is_shared)?;
        for view in self.grants {
            let optional = match Place::of(view, self.settings.broker.as_ref()) {
                Place::Broker => continue,
                Place::Secret => false,
                Place::Either => true,
            };
            place(
                &volumes::grant_volume(view.name),
                volumes::of_grant(view, optional),
                &|volume| volumes::is_of_grant(volume, view, optional),
            )?;
        }
        if let Some(broker) = self.broker {
            place(names::BROKER_VOLUME, broker.volume(), &|volume| {
                broker.is_volume(volume)
            })?;
        }
        patch.append_to_spec("volumes", spec.volumes.is_empty(), added);
        Ok(())
    }
}

fn add_pull_secrets(spec: &Spec<'_>, secrets: &[String], patch: &mut Builder) {
    let own = &spec.image_pull_secrets;
    let missing = secrets
        .iter()
        .filter(|secret| !own.iter().any(|there| *there.name == ***secret))
        .map(|secret| json!({"name": secret}))
        .collect();
    patch.append_to_spec("imagePullSecrets", own.is_empty(), missing);
}
