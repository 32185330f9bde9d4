//! The agent's container: as Alter wants it, and what of an existing one may stay.

use super::{
    annotations::Asked,
    broker::{self, Broker, Place},
    denial::Denial,
    grant::GrantView,
    resources::Resources,
    security,
    view::Spec,
    volumes::grant_volume,
};
use alter_crds::names::pod as names;
use alter_protocol::pod::{GRANTS_DIR, SHARED_DIR, env};
use serde_json::{Value, json};

/// The agent's program in its image.
const PROGRAM: &str = "/alter-agent";
/// How often the startup probe may fail, once a second: a week, after which the kubelet starts the agent
/// anew and the count begins again.
const STARTUP_SECONDS: i32 = 604_800;
/// Variables of this prefix are Alter's own.
const OWN_VARIABLES: &str = "ALTER_";

/// What of the installation goes into pods.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's image.
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub pull_policy: &'static str,
    /// Names of Secrets with which the image is pulled; they must be in the pod's namespace.
    pub pull_secrets: Vec<String>,
    /// The agent's resources, where the pod asks for none.
    pub resources: Resources,
    /// The agent's port for metrics; none where 0.
    pub metrics_port: u16,
    /// The broker, where there is one.
    pub broker: Option<Broker>,
}

/// The agent as it is injected. Every field that the API server would fill in is there, so that a second
/// pass finds what the first one wrote.
#[must_use]
pub fn wanted(
    asked: &Asked<'_>,
    grants: &[GrantView<'_>],
    broker: Option<&broker::Wanted<'_>>,
    resources: Option<&Resources>,
    spec: &Spec<'_>,
    settings: &Settings,
) -> Value {
    let mut variables = vec![
        json!({"name": env::GRANTS, "value": asked.grants.join(",")}),
        json!({"name": env::DELIVERY, "value": asked.delivery.as_str()}),
        json!({"name": env::SERVICE_ACCOUNT, "valueFrom": {
            "fieldRef": {"apiVersion": "v1", "fieldPath": "spec.serviceAccountName"},
        }}),
    ];
    let mut mounts = vec![json!({"name": names::SHARED_VOLUME, "mountPath": SHARED_DIR})];
    let in_secrets =
        |view: &&GrantView<'_>| Place::of(view, settings.broker.as_ref()) != Place::Broker;
    mounts.extend(grants.iter().filter(in_secrets).map(|view| {
        json!({
            "name": grant_volume(view.name),
            "mountPath": format!("{GRANTS_DIR}/{}", view.name),
            "readOnly": true,
        })
    }));
    if let Some(broker) = broker {
        variables.extend(broker.variables());
        mounts.push(broker.mount());
    }
    // Two pods in their node's network could not both have the port.
    let metrics =
        (settings.metrics_port > 0 && !spec.host_network).then_some(settings.metrics_port);
    if let Some(port) = metrics {
        let address = format!("0.0.0.0:{port}");
        variables.push(json!({"name": env::METRICS_ADDRESS, "value": address}));
    }
    let mut agent = json!({
        "name": names::AGENT_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "command": [PROGRAM],
        "args": ["serve"],
        "restartPolicy": "Always",
        "env": variables,
        "startupProbe": {
            "exec": {"command": [PROGRAM, "ready"]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "successThreshold": 1,
            "failureThreshold": STARTUP_SECONDS,
        },
        "resources": resources.map_or_else(|| json!({}), |resources| json!(resources)),
        "securityContext": security::context(spec.security_context.run_as_user),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    });
    if let Some(port) = metrics {
        agent["ports"] =
            json!([{"name": "alter-metrics", "containerPort": port, "protocol": "TCP"}]);
    }
    agent
}

/// Where the agent already is among the init containers; `None` where it is not.
///
/// A container of its name that does not run the agent's program is the pod's own, and is denied.
pub fn find(init_containers: &[Value]) -> Result<Option<usize>, Denial> {
    let mut named = init_containers
        .iter()
        .enumerate()
        .filter(|(_, container)| container["name"] == names::AGENT_CONTAINER);
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some((index, container)), None)
            if container["command"] == json!([PROGRAM])
                && container["args"] == json!(["serve"]) =>
        {
            Ok(Some(index))
        }
        _ => Err(Denial::AgentName),
    }
}

/// What an agent that is already there should be: as wanted, but for what the API server and other
/// webhooks may add to any container. Whatever else it has, it loses.
#[must_use]
pub fn corrected(existing: &Value, mut wanted: Value) -> Value {
    // A LimitRange fills these in; the pod's author could ask for any of them by annotation.
    for field in ["resources", "resizePolicy"] {
        if let Some(own) = existing.get(field) {
            wanted[field] = own.clone();
        }
    }
    // The AlwaysPullImages admission plugin insists on it.
    if existing["imagePullPolicy"] == "Always" {
        wanted["imagePullPolicy"] = existing["imagePullPolicy"].clone();
    }
    add_missing(&mut wanted["env"], &existing["env"], |added| {
        !text(added, "name").starts_with(OWN_VARIABLES)
    });
    // Service account tokens; a mount elsewhere could hide the agent's program or files.
    add_missing(
        &mut wanted["volumeMounts"],
        &existing["volumeMounts"],
        |added| text(added, "mountPath").starts_with("/var/run/secrets/"),
    );
    wanted
}

/// Adds those entries of `existing` whose name is not in `wanted`.
fn add_missing(wanted: &mut Value, existing: &Value, may_stay: impl Fn(&Value) -> bool) {
    let (Some(wanted), Some(existing)) = (wanted.as_array_mut(), existing.as_array()) else {
        return;
    };
    for entry in existing {
        let known = wanted.iter().any(|own| own["name"] == entry["name"]);
        if !known && may_stay(entry) {
            wanted.push(entry.clone());
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
