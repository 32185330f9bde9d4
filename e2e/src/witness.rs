//! Remembers the secrets that pass through a namespace, so that the look for them looks for the real ones.

use crate::{
    Failure, app::HELPER_PROGRAM, fixture::ACCESS_KEY_SECRET, kubectl, leak,
    system::SYSTEM_NAMESPACE, wait,
};
use alter_crds::{AwsGrant, names};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::task::JoinHandle;

/// What was seen of a namespace.
#[derive(Default)]
struct Memory {
    /// Secret values of sessions.
    secrets: BTreeSet<String>,
    /// Grants of which such a value was seen.
    witnessed: BTreeSet<String>,
    /// Grants whose status told of a session.
    served: BTreeSet<String>,
}

/// Remembers every secret value that the sessions of a namespace's Secrets ever had; of the broker's, which are in
/// none, those that its pods had when they became ready, and those that they have in the end.
pub struct Witness {
    client: Client,
    memory: Arc<Mutex<Memory>>,
    watches: [JoinHandle<()>; 3],
}

impl Witness {
    /// Starts to watch.
    #[must_use]
    pub fn start(client: &Client, namespace: &str) -> Self {
        let memory = Arc::<Mutex<Memory>>::default();
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let selector = format!("{}={}", names::label::MANAGED_BY, names::label::OPERATOR);
        let secrets = watcher(secrets, watcher::Config::default().labels(&selector));
        let grants: Api<AwsGrant> = Api::namespaced(client.clone(), namespace);
        let grants = watcher(grants, watcher::Config::default());
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pods = watcher(pods, watcher::Config::default().labels(&asks()));
        let (of_secrets, of_grants) = (Arc::clone(&memory), Arc::clone(&memory));
        let of_pods = Arc::clone(&memory);
        // The watches end with their namespace.
        let secrets = secrets.default_backoff().applied_objects().boxed();
        let secrets = secrets.try_for_each(move |secret| {
            let seen = values(&secret);
            let mut memory = lock(&of_secrets);
            if let Some(grant) = secret.labels().get(names::secret::GRANT_LABEL)
                && !seen.is_empty()
            {
                memory.witnessed.insert(grant.clone());
                memory.secrets.extend(seen);
            }
            futures::future::ok(())
        });
        let grants = grants.default_backoff().applied_objects().boxed();
        let grants = grants.try_for_each(move |grant| {
            if grant
                .status
                .as_ref()
                .is_some_and(|own| own.access_key_id.is_some())
            {
                lock(&of_grants).served.insert(grant.name_any());
            }
            futures::future::ok(())
        });
        let pods = pods.default_backoff().applied_objects().boxed();
        let mut asked = BTreeSet::new();
        let pods = pods.try_for_each(move |pod| {
            let is_new = is_ready(&pod) && asked.insert(pod.uid());
            let memory = Arc::clone(&of_pods);
            async move {
                // One that is gone again has nothing to tell.
                let seen = if is_new {
                    of_pod(&pod).await.ok()
                } else {
                    None
                };
                lock(&memory).secrets.extend(seen.unwrap_or_default());
                Ok(())
            }
        });
        let watches = [
            tokio::spawn(async move { drop(secrets.await) }),
            tokio::spawn(async move { drop(grants.await) }),
            tokio::spawn(async move { drop(pods.await) }),
        ];
        Self {
            client: client.clone(),
            memory,
            watches,
        }
    }

    /// Looks for what was seen in everything that a person may read of the namespace and of Alter, and in
    /// `more`. Fails where a grant had a session and none of its secrets was seen: the look would prove nothing.
    pub async fn finish(self, namespace: &str, more: Vec<leak::Text>) -> Result<(), Failure> {
        let what = "the secrets of each grant that had a session: a look for none proves nothing";
        wait::until_found(what, async || {
            let memory = lock(&self.memory);
            Ok(memory.served.is_subset(&memory.witnessed).then_some(()))
        })
        .await?;
        for watch in &self.watches {
            watch.abort();
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = pods.list(&ListParams::default().labels(&asks())).await?;
        for pod in pods.iter().filter(|pod| is_ready(pod)) {
            let seen = of_pod(pod).await?;
            lock(&self.memory).secrets.extend(seen);
        }
        let mut secrets = lock(&self.memory).secrets.clone();
        secrets.insert(self.bootstrap_key().await?);
        leak::look(&more, &secrets)?;
        leak::look(&leak::readable(namespace).await?, &secrets)
    }

    /// What the identities of most tests are made from.
    async fn bootstrap_key(&self) -> Result<String, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), SYSTEM_NAMESPACE);
        let secret = secrets.get(ACCESS_KEY_SECRET).await?;
        let mut data = secret.data.unwrap_or_default();
        let key = data.remove(names::access_key::SECRET_ACCESS_KEY);
        let key = key.ok_or_else(|| format!("Secret {ACCESS_KEY_SECRET} holds no key"))?;
        Ok(String::from_utf8(key.0)?)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Selects pods that ask the broker.
fn asks() -> String {
    format!("{}={}", names::pod::BROKER, names::pod::BROKER_ASKS)
}

fn is_ready(pod: &Pod) -> bool {
    let stays = pod.metadata.deletion_timestamp.is_none();
    let conditions = pod.status.as_ref().and_then(|own| own.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    stays && conditions.any(|own| own.type_ == "Ready" && own.status == "True")
}

/// The secret values of the sessions that the app in a pod has: of grants that it is refused, none.
async fn of_pod(pod: &Pod) -> Result<Vec<String>, Failure> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let app = pod.spec.iter().flat_map(|spec| &spec.containers).next();
    let app = app.map(|own| own.name.as_str()).unwrap_or_default();
    let grants = pod.annotations().get(names::pod::GRANT);
    let mut seen = Vec::new();
    for grant in grants.iter().flat_map(|own| own.split(',')) {
        let helper = [HELPER_PROGRAM, grant.trim()];
        let output = kubectl::exec(&namespace, &name, app, &helper).await?;
        seen.extend(of_document(output.stdout.as_bytes()));
    }
    Ok(seen)
}

/// The secret values of a session's Secret.
fn values(secret: &Secret) -> Vec<String> {
    let file = secret
        .data
        .as_ref()
        .and_then(|data| data.get(alter_protocol::pod::CREDENTIALS_JSON));
    file.map_or_else(Vec::new, |file| of_document(&file.0))
}

/// The secret values of a session as SDKs read it.
fn of_document(document: &[u8]) -> Vec<String> {
    let session = alter_protocol::Session::from_process_json(document).ok();
    session.map_or_else(Vec::new, |session| {
        vec![
            session.secret_access_key.to_string(),
            session.session_token.to_string(),
        ]
    })
}
