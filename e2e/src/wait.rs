//! Waiting for a state of an object, with a deadline that fails the test and shows the last state.

use crate::Failure;
use k8s_openapi::api::core::v1::Pod;
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
    if let Ok(found) =
        tokio::time::timeout(DEADLINE, await_condition(api.clone(), name, condition)).await
    {
        return Ok(found?);
    }
    let last = match api.get_opt(name).await {
        Ok(last) => serde_json::to_string_pretty(&last)?,
        Err(error) => error.to_string(),
    };
    Err(format!("{name}: not seen within {DEADLINE:?}: {what}; last seen: {last}").into())
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

/// Waits until the pod is ready, and gives it.
pub async fn pod_ready(client: &Client, namespace: &str, name: &str) -> Result<Pod, Failure> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    until(&pods, name, "Ready", |pod: Option<&Pod>| {
        has_condition(pod, "Ready")
    })
    .await?
    .ok_or_else(|| format!("{namespace}/{name}: gone").into())
}

/// Waits until the pod has ended, and tells whether it succeeded.
pub async fn pod_ended(client: &Client, namespace: &str, name: &str) -> Result<bool, Failure> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let phase = |pod: Option<&Pod>| pod?.status.as_ref()?.phase.clone();
    let ended = until(
        &pods,
        name,
        "Succeeded or Failed",
        move |pod: Option<&Pod>| matches!(phase(pod).as_deref(), Some("Succeeded" | "Failed")),
    )
    .await?;
    Ok(phase(ended.as_ref()).as_deref() == Some("Succeeded"))
}

fn has_condition(pod: Option<&Pod>, type_: &str) -> bool {
    let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == type_ && condition.status == "True")
    })
}
