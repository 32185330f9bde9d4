//! The CAs that the broker's certificate may be of, in each namespace with a grant of the broker's: from there they
//! reach agents, also those that run already.

use crate::{
    grant::Grants,
    lease::{Fence, Fenced},
};
use alter_crds::{
    answer::{InWords, is_terminating, of_watch},
    names::{broker, certificate, field_manager, label},
};
use alter_policy::backoff::doubled;
use alter_runtime::watch::{self, Scope};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher::{self, watcher},
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Also where nothing is due, a pass is made so often.
const AT_LEAST_EVERY: Duration = Duration::from_hours(1);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_mins(1);

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerCaError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The certificate's Secret could not be read.
    #[error("cannot read Secret {secret}: {}; check that the operator may get secrets in its namespace", InWords(.source))]
    Get {
        /// Its name.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The CAs could not be written.
    #[error(
        "cannot write ConfigMap {} in namespace {namespace}: {}; check that the operator may create and patch it",
        broker::CA_CONFIG_MAP,
        InWords(.source)
    )]
    Apply {
        /// The namespace.
        namespace: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// Keeps the `ConfigMap`s while this process leads.
pub(crate) struct Keeper {
    /// The API server.
    pub(crate) client: Client,
    /// Whether this process may write.
    pub(crate) fence: Fence,
    /// Which namespaces are watched.
    pub(crate) scope: Scope,
    /// All grants.
    pub(crate) grants: Grants,
    /// Rings when grants have changed.
    pub(crate) changed: Arc<Notify>,
    /// The operator's namespace.
    pub(crate) namespace: String,
    /// The Secret with the certificate.
    pub(crate) secret: String,
}

impl Keeper {
    /// Runs until `shutdown`. `filled` ends once all grants are known.
    pub(crate) async fn run(self, filled: impl Future<Output = ()>, shutdown: CancellationToken) {
        let (there, writer) = reflector::store();
        let named = watcher::Config::default()
            .fields(&format!("metadata.name={}", broker::CA_CONFIG_MAP))
            .page_size(watch::PAGE);
        let there_changes = watch::follow::<ConfigMap>(&self.client, &self.scope, &named);
        let mut there_changes = std::pin::pin!(told(there_changes.reflect(writer)));
        let mut secret_changes = std::pin::pin!(told(self.secret_changes()));
        let mut leading = self.fence.leading();
        let mut failures = 0;
        tokio::select! {
            () = filled => {}
            () = shutdown.cancelled() => return,
        }
        loop {
            let wait = match self.pass(&there).await {
                Ok(()) | Err(BrokerCaError::Fenced(Fenced::NotLeading)) => {
                    failures = 0;
                    AT_LEAST_EVERY
                }
                Err(error) => {
                    tracing::error!(%error, "the broker's CA was not kept everywhere");
                    failures += 1;
                    doubled(FIRST_RETRY, LAST_RETRY, failures)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Fails only when the sender, which the fence holds, is dropped.
                _ = leading.changed() => {}
                () = self.changed.notified() => {}
                _ = there_changes.next() => {}
                _ = secret_changes.next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Writes what lacks; one namespace that fails keeps none of the others waiting.
    async fn pass(&self, there: &Store<ConfigMap>) -> Result<(), BrokerCaError> {
        if !self.fence.is_open() {
            return Ok(());
        }
        // 1. Who needs it.
        let needed = self.needed();
        if needed.is_empty() {
            return Ok(());
        }
        // 2. What it is.
        let bundle = self.bundle().await?;
        if bundle.is_empty() {
            return Ok(());
        }
        // 3. Where it is not.
        let mut failed = None;
        for namespace in needed {
            let key = ObjectRef::new(broker::CA_CONFIG_MAP).within(&namespace);
            let written = match state(there.get(&key).as_deref(), &bundle) {
                State::Current => Ok(()),
                State::Due => self.apply(&namespace, &bundle).await,
                State::Foreign => {
                    tracing::warn!(
                        namespace,
                        name = broker::CA_CONFIG_MAP,
                        "a ConfigMap of this name is not Alter's, and is left alone: remove it, or agents there cannot ask the broker"
                    );
                    Ok(())
                }
            };
            match written {
                Ok(()) => {}
                Err(error @ BrokerCaError::Fenced(Fenced::NotLeading)) => {
                    // What failed before is no less so.
                    failed.get_or_insert(error);
                    break;
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn needed(&self) -> BTreeSet<String> {
        let all = self.grants.state_filter(|own| own.from_broker);
        all.iter()
            .filter_map(|own| own.meta().namespace.clone())
            .collect()
    }

    async fn bundle(&self) -> Result<String, BrokerCaError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api.get_opt(&self.secret).await;
        let found = found.map_err(|source| BrokerCaError::Get {
            secret: self.secret.clone(),
            source,
        })?;
        Ok(found.map_or_else(String::new, |own| bundle_of(&own)))
    }

    async fn apply(&self, namespace: &str, bundle: &str) -> Result<(), BrokerCaError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply(field_manager::BROKER_CA).force();
        let patch = Patch::Apply(body(bundle));
        let call = api.patch_metadata(broker::CA_CONFIG_MAP, &params, &patch);
        match self.fence.run(call).await? {
            Ok(_) => {
                tracing::info!(namespace, "the broker's CA was written");
                Ok(())
            }
            Err(error) if is_terminating(&error) => Ok(()),
            Err(source) => Err(BrokerCaError::Apply {
                namespace: namespace.to_owned(),
                source,
            }),
        }
    }

    fn secret_changes(
        &self,
    ) -> impl Stream<Item = watcher::Result<watcher::Event<PartialObjectMeta<Secret>>>> + Send + use<>
    {
        let api = Api::namespaced(self.client.clone(), &self.namespace);
        let named = watcher::Config::default().fields(&format!("metadata.name={}", self.secret));
        watcher(api, named).default_backoff()
    }
}

/// How a namespace stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has the CAs.
    Current,
    /// It lacks them, or has others.
    Due,
    /// Something else has the name.
    Foreign,
}

fn state(found: Option<&ConfigMap>, bundle: &str) -> State {
    let Some(found) = found else {
        return State::Due;
    };
    if found.labels().get(label::MANAGED_BY).map(String::as_str) != Some(label::OPERATOR) {
        return State::Foreign;
    }
    let own = found.data.as_ref().and_then(|data| data.get(broker::CA));
    if own.map(String::as_str) == Some(bundle) {
        State::Current
    } else {
        State::Due
    }
}

/// The CA that signs, the one that will, and those that did: cert-manager has the first alone.
fn bundle_of(secret: &Secret) -> String {
    let keys = [
        certificate::CA_CERTIFICATE,
        certificate::NEXT_CA_CERTIFICATE,
        certificate::OLD_CA_CERTIFICATES,
    ];
    let all = keys
        .iter()
        .filter_map(|key| secret.data.as_ref()?.get(*key));
    let texts = all.filter_map(|bytes| str::from_utf8(&bytes.0).ok());
    texts.flat_map(|text| [text.trim_end(), "\n"]).collect()
}

fn body(bundle: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": broker::CA_CONFIG_MAP,
            "labels": {label::MANAGED_BY: label::OPERATOR},
        },
        "data": {broker::CA: bundle},
    })
}

/// Ticks; where the watch broke, that is told.
fn told<T>(events: impl Stream<Item = watcher::Result<T>>) -> impl Stream<Item = ()> {
    events.map(|event| {
        if let Err(error) = event {
            tracing::warn!(
                error = of_watch(&error),
                "a watch of the broker's CA broke: it begins anew"
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock, fixtures,
        scripted::{self, Asked, stored},
    };
    use alter_crds::{AwsGrant, grant};
    use kube::{core::DeserializeGuard, runtime::watcher::Event};
    use tokio::time::Instant;

    fn keeper(
        client: Client,
        namespaces: &[(&str, grant::Store)],
    ) -> (
        Keeper,
        Store<ConfigMap>,
        reflector::store::Writer<ConfigMap>,
    ) {
        let (grants, mut writer) = reflector::store();
        for (namespace, store) in namespaces {
            let mut own: AwsGrant = fixtures::grant();
            own.metadata.namespace = Some((*namespace).to_owned());
            own.spec.store = *store;
            writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(own)).into()));
        }
        let fence = Fence::new();
        fence.open(Instant::now(), clock::now());
        let keeper = Keeper {
            client,
            fence,
            scope: Scope::Cluster,
            grants,
            changed: Arc::default(),
            namespace: "alter".to_owned(),
            secret: "certificate".to_owned(),
        };
        let (there, writer) = reflector::store();
        (keeper, there, writer)
    }

    /// A Secret with two CAs, `Y2E=` and `bmV4dA==`.
    fn answer(asked: &Asked) -> (u16, Value) {
        match asked.method.as_str() {
            "GET" => (
                200,
                json!({"metadata": {}, "data": {
                    "ca.crt": "Y2E=", "ca.key": "a2V5", "next-ca.crt": "bmV4dA==",
                }}),
            ),
            _ => stored(asked),
        }
    }

    #[tokio::test]
    async fn the_cas_come_where_a_grant_needs_them_and_their_keys_nowhere() {
        let (client, log) = scripted::api(answer);
        let namespaces = [
            ("team-a", grant::Store::Broker),
            ("team-b", grant::Store::Secret),
            ("team-c", grant::Store::Broker),
        ];
        let (keeper, there, mut writer) = keeper(client, &namespaces);
        let mut current: ConfigMap = serde_json::from_value(body("ca\nnext\n")).unwrap();
        current.metadata.namespace = Some("team-c".to_owned());
        writer.apply_watcher_event(&Event::Apply(current));
        keeper.pass(&there).await.unwrap();
        assert_eq!(
            log.lines(),
            [
                "GET /api/v1/namespaces/alter/secrets/certificate",
                "PATCH /api/v1/namespaces/team-a/configmaps/alter-broker-ca",
            ]
        );
        assert_eq!(log.at(1).body["data"], json!({"ca.crt": "ca\nnext\n"}));
        assert!(
            log.at(1)
                .query
                .contains("fieldManager=alter-operator%2Fbroker-ca")
        );
    }

    #[tokio::test]
    async fn nothing_is_asked_where_no_grant_needs_it_or_another_leads() {
        let (client, log) = scripted::api(answer);
        let (keeper, there, _) = keeper(client.clone(), &[("team-a", grant::Store::Secret)]);
        keeper.pass(&there).await.unwrap();
        let (mut follower, there, _) = self::keeper(client, &[("team-a", grant::Store::Broker)]);
        follower.fence = Fence::new();
        follower.pass(&there).await.unwrap();
        assert_eq!(log.lines(), [""; 0]);
    }

    #[test]
    fn what_is_not_alters_is_left_alone_and_what_was_changed_is_mended() {
        let mut own: ConfigMap = serde_json::from_value(body("ca\n")).unwrap();
        assert_eq!(state(None, "ca\n"), State::Due);
        assert_eq!(state(Some(&own), "ca\n"), State::Current);
        assert_eq!(state(Some(&own), "other\n"), State::Due);
        own.metadata.labels = None;
        assert_eq!(state(Some(&own), "ca\n"), State::Foreign);
    }
}
