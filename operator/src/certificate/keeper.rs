//! The loop that keeps the webhook's certificate and what API servers trust it by.

use super::{
    authority::AuthorityError,
    bundle::{self, BundleError},
    plan::{Step, plan},
    store::Store,
};
use crate::{
    clock,
    encoded::Encoded,
    lease::{Fence, Fenced},
};
use alter_crds::{
    answer::{InWords, of_watch},
    names::{field_manager, label, secret},
};
use alter_policy::backoff::doubled;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Secret,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// Also where nothing is due, a pass is made so often: timers stand still while a machine sleeps.
const AT_LEAST_EVERY: Duration = Duration::from_hours(1);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_mins(1);
/// No chain of steps is longer: start over, drop old, keep.
const STEPS: usize = 6;

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The Secret could not be read.
    #[error(
        "cannot read Secret {secret}: {}; check that the operator may get secrets in its namespace",
        InWords(.source)
    )]
    Get {
        /// Its name.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// Something else has the name.
    #[error("Secret {secret} is not of type {CERTIFICATE_TYPE}: remove it, name another with --certificate-secret, or keep certificates with --certificates external", CERTIFICATE_TYPE = secret::CERTIFICATE_TYPE)]
    Foreign {
        /// Its name.
        secret: String,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Make(#[from] AuthorityError),
    /// The Secret could not be written.
    #[error(
        "cannot write Secret {secret}: {}; check that the operator may create and patch it",
        InWords(.source)
    )]
    Apply {
        /// Its name.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// `caBundle` could not be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// What is kept, and where.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The operator's namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The Services that the certificate is for: the webhook's, and the broker's where there is one.
    pub services: Vec<String>,
    /// Name of both webhook configurations.
    pub configuration: String,
}

/// Keeps the certificate while this process leads.
pub(crate) struct Keeper {
    client: Client,
    fence: Fence,
    settings: Settings,
    names: Vec<String>,
}

/// The Secret to be written; has no `Debug` that shows a key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    api_version: &'static str,
    kind: &'static str,
    #[serde(rename = "type")]
    type_: &'static str,
    metadata: ObjectMeta,
    data: BTreeMap<&'static str, Encoded>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// Does nothing yet.
    pub(crate) fn new(client: Client, fence: Fence, settings: Settings) -> Self {
        let namespace = &settings.namespace;
        let names = settings.services.iter().flat_map(|service| {
            [
                format!("{service}.{namespace}.svc"),
                service.clone(),
                format!("{service}.{namespace}"),
                format!("{service}.{namespace}.svc.cluster.local"),
            ]
        });
        let names = names.collect();
        Self {
            client,
            fence,
            settings,
            names,
        }
    }

    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut leading = self.fence.leading();
        let mut changes = std::pin::pin!(self.changes());
        let mut failures = 0;
        loop {
            let wait = match self.pass_if_leading().await {
                Ok(wait) => {
                    failures = 0;
                    wait
                }
                Err(CertificateError::Fenced(Fenced::NotLeading)) => AT_LEAST_EVERY,
                Err(error) => {
                    tracing::error!(%error, "the webhook's certificate was not kept");
                    failures += 1;
                    doubled(FIRST_RETRY, LAST_RETRY, failures)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Fails only when the sender, which the fence holds, is dropped.
                _ = leading.changed() => {}
                _ = changes.next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn pass_if_leading(&self) -> Result<Duration, CertificateError> {
        if !self.fence.is_open() {
            return Ok(AT_LEAST_EVERY);
        }
        self.pass(clock::now()).await
    }

    /// Steps until nothing is due; gives the time until something is.
    async fn pass(&self, now: Timestamp) -> Result<Duration, CertificateError> {
        for _ in 0..STEPS {
            // 1. What is there.
            let found = self.get().await?;
            let data = found
                .as_ref()
                .and_then(|own| own.data.clone())
                .unwrap_or_default();
            let store = Store::read(&data);
            // 2. API servers trust what is served, and what will be, before it is.
            self.trust(&store).await?;
            // 3. One step, written.
            match plan(&store.state(&self.names, now), now) {
                Step::Keep { until } => {
                    return Ok(clock::until(until, now).min(AT_LEAST_EVERY));
                }
                step => {
                    let store = store.advance(step, &self.names, now)?;
                    self.apply(found.as_ref(), &store).await?;
                    tracing::info!(
                        ?step,
                        secret = self.settings.secret,
                        "the webhook's certificate was written"
                    );
                }
            }
        }
        Ok(FIRST_RETRY)
    }

    async fn get(&self) -> Result<Option<Secret>, CertificateError> {
        let name = &self.settings.secret;
        let found = self
            .secrets()
            .get_opt(name)
            .await
            .map_err(|source| CertificateError::Get {
                secret: name.clone(),
                source,
            })?;
        match found {
            Some(own) if own.type_.as_deref() != Some(secret::CERTIFICATE_TYPE) => {
                Err(CertificateError::Foreign {
                    secret: name.clone(),
                })
            }
            found => Ok(found),
        }
    }

    async fn trust(&self, store: &Store) -> Result<(), CertificateError> {
        let bundle = store.bundle();
        if bundle.is_empty() {
            return Ok(());
        }
        let (client, fence, name) = (&self.client, &self.fence, &self.settings.configuration);
        bundle::keep::<MutatingWebhookConfiguration>(client, fence, name, &bundle).await?;
        bundle::keep::<ValidatingWebhookConfiguration>(client, fence, name, &bundle).await?;
        Ok(())
    }

    /// Carries UID and version of what was read. Where there was nothing, a Secret that came meanwhile is
    /// kept safe by its type, which cannot change.
    async fn apply(&self, found: Option<&Secret>, store: &Store) -> Result<(), CertificateError> {
        let name = &self.settings.secret;
        let labels = BTreeMap::from([(label::MANAGED_BY.to_owned(), label::OPERATOR.to_owned())]);
        let body = Body {
            api_version: "v1",
            kind: "Secret",
            type_: secret::CERTIFICATE_TYPE,
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(labels),
                uid: found.and_then(|own| own.metadata.uid.clone()),
                resource_version: found.and_then(|own| own.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            data: store.data(),
        };
        let params = PatchParams::apply(field_manager::CERTIFICATE).force();
        let patch = Patch::Apply(body);
        let secrets = self.secrets();
        let call = secrets.patch_metadata(name, &params, &patch);
        let applied = self.fence.run(call).await?;
        applied.map(drop).map_err(|source| CertificateError::Apply {
            secret: name.clone(),
            source,
        })
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.settings.namespace)
    }

    /// Ticks when the Secret or a configuration changes, whoever changed it.
    fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        let client = || self.client.clone();
        let named =
            |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let namespace = &self.settings.namespace;
        let secret: Api<PartialObjectMeta<Secret>> = Api::namespaced(client(), namespace);
        let mutating: Api<PartialObjectMeta<MutatingWebhookConfiguration>> = Api::all(client());
        let validating: Api<PartialObjectMeta<ValidatingWebhookConfiguration>> = Api::all(client());
        let configuration = named(&self.settings.configuration);
        stream::select_all([
            ticks(watcher(secret, named(&self.settings.secret))),
            ticks(watcher(mutating, configuration.clone())),
            ticks(watcher(validating, configuration)),
        ])
    }
}

fn ticks<K: Send + 'static>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
) -> stream::BoxStream<'static, ()> {
    let objects = events.default_backoff().touched_objects();
    objects
        .filter_map(|object| async move {
            object
                .inspect_err(|error| {
                    tracing::warn!(
                        error = of_watch(error),
                        "a watch of the webhook's certificate broke: it begins anew"
                    );
                })
                .ok()
                .map(drop)
        })
        .boxed()
}
