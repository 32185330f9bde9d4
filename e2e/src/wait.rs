//! Waiting for a state of an object, with a deadline that fails the test and shows the last state.

use crate::{Failure, kubectl};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{
    Api, Client,
    runtime::wait::{Condition, await_condition},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, future::Future, time::Duration};

/// No state that a test waits for takes this long on a healthy cluster, however busy the machine.
pub const DEADLINE: Duration = Duration::from_mins(4);
/// Between two looks at what cannot be watched.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Every image of the tests is on the node before they begin: a container that waits so waits for ever.
const HOPELESS: [&str; 2] = ["ErrImageNeverPull", "InvalidImageName"];

/// Waits until the object fulfils `condition`; absent objects are `None` to it.
pub async fn until<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    condition: impl Condition<K>,
) -> Result<Option<K>, Failure>
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    until_within(DEADLINE, api, name, what, condition).await
}

/// As [`until`], with a deadline for what takes longer by its nature.
pub async fn until_within<K>(
    deadline: Duration,
    api: &Api<K>,
    name: &str,
    what: &str,
    condition: impl Condition<K>,
) -> Result<Option<K>, Failure>
where
    K: kube::Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let seen = await_condition(api.clone(), name, condition);
    if let Ok(found) = tokio::time::timeout(deadline, seen).await {
        return Ok(found?);
    }
    let last = match api.get_opt(name).await {
        Ok(last) => serde_json::to_string_pretty(&last)?,
        Err(error) => error.to_string(),
    };
    Err(format!("{name}: not seen within {deadline:?}: {what}; last seen: {last}").into())
}

/// Looks again and again until `look` finds something.
pub async fn until_found<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let search = async {
        loop {
            if let Some(found) = look().await? {
                return Ok::<T, Failure>(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(DEADLINE, search)
        .await
        .map_err(|_| format!("not seen within {DEADLINE:?}: {what}"))?
}

/// Waits until the pod is ready, and gives it. One that can no longer become so fails at once.
pub async fn pod_ready(client: &Client, namespace: &str, name: &str) -> Result<Pod, Failure> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = until(&pods, name, "Ready", |pod: Option<&Pod>| {
        has_condition(pod, "Ready") || hopeless(pod).is_some()
    })
    .await?;
    if let Some(why) = hopeless(pod.as_ref()) {
        return Err(format!("{namespace}/{name} never becomes ready: {why}").into());
    }
    pod.ok_or_else(|| format!("{namespace}/{name}: gone").into())
}

/// Waits until the pod has ended, and tells whether it succeeded.
pub async fn pod_ended(client: &Client, namespace: &str, name: &str) -> Result<bool, Failure> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ended = until(
        &pods,
        name,
        "Succeeded or Failed",
        move |pod: Option<&Pod>| {
            matches!(phase(pod), Some("Succeeded" | "Failed")) || hopeless(pod).is_some()
        },
    )
    .await?;
    match hopeless(ended.as_ref()) {
        Some(why) if phase(ended.as_ref()) != Some("Failed") => {
            Err(format!("{namespace}/{name} never ends: {why}").into())
        }
        _ => Ok(phase(ended.as_ref()) == Some("Succeeded")),
    }
}

fn phase(pod: Option<&Pod>) -> Option<&str> {
    pod?.status.as_ref()?.phase.as_deref()
}

/// Why the pod will never be ready, where that is certain.
fn hopeless(pod: Option<&Pod>) -> Option<String> {
    if phase(pod) == Some("Failed") {
        return Some("it failed".to_owned());
    }
    let status = pod?.status.as_ref()?;
    let of = |own: &Option<Vec<ContainerStatus>>| own.clone().unwrap_or_default();
    let containers = [
        of(&status.init_container_statuses),
        of(&status.container_statuses),
    ];
    containers.concat().iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let message = waiting.message.as_deref().unwrap_or_default();
        HOPELESS
            .contains(&reason)
            .then(|| format!("{}: {reason}: {message}", container.name))
    })
}

fn has_condition(pod: Option<&Pod>, type_: &str) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == type_ && condition.status == "True")
    })
}

/// Waits until a server answers whoever is in the cluster: a Service takes a moment to reach the node.
pub async fn answers(what: &str, url: &str) -> Result<(), Failure> {
    let ask = format!("import urllib.request; urllib.request.urlopen('{url}')");
    let python = ["deployment/ministack", "--", "python3", "-c", &ask];
    let ask = [&["exec", "-n", "ministack"][..], &python].concat();
    until_found(what, async || {
        Ok(kubectl::try_run(&ask, "").await?.success.then_some(()))
    })
    .await
}
