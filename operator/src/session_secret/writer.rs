//! The calls that read a session's Secret's metadata and write the Secret.
//!
//! Every answer is asked for as metadata alone, so that no secret comes back.

use super::{
    body::Body,
    facts::{Facts, NotOurs, first_write},
};
use crate::lease::{Fence, Fenced};
use alter_crds::{condition::reason, names::field_manager};
use http::{HeaderValue, header::ACCEPT};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{PartialObjectMeta, Request},
};
use serde_json::json;

/// The value of `Accept` that brings an object's metadata alone.
pub(crate) const METADATA_ALONE: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// Why a Secret was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// Its metadata could not be read.
    #[error(
        "cannot read the metadata of Secret {secret}: {source}; check that the operator may list secrets"
    )]
    Look {
        /// Namespace and name.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// It changed, or went, since it was looked at.
    #[error("Secret {secret} changed meanwhile: it is looked at again")]
    Raced {
        /// Namespace and name.
        secret: String,
    },
    /// The body could not be made.
    #[error("cannot encode Secret {secret}: {source}; report this as a bug")]
    Encode {
        /// Namespace and name.
        secret: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The API server refused or failed the write.
    #[error(
        "cannot write Secret {secret}: {source}; check that it is not immutable, that the namespace's quota leaves room, and that the operator may create and patch secrets there"
    )]
    Write {
        /// Namespace and name.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// What was written came back without Alter's marks.
    #[error(
        "Secret {secret} came back changed: {source}; find the webhook or policy that changes Secrets"
    )]
    Marks {
        /// Namespace and name.
        secret: String,
        /// What is missing.
        source: NotOurs,
    },
}

impl WriteError {
    /// A condition's reason.
    pub(crate) fn category(&self) -> &'static str {
        match self {
            Self::Fenced(_) | Self::Raced { .. } => reason::PENDING,
            Self::Look { .. } | Self::Encode { .. } | Self::Write { .. } | Self::Marks { .. } => {
                reason::SECRET_WRITE_FAILED
            }
        }
    }
}

/// A Secret as the API server has it now.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    metadata: ObjectMeta,
    secret: String,
}

impl Live {
    /// What its metadata says.
    pub(crate) fn facts(&self) -> Result<Facts, NotOurs> {
        Facts::read(&self.metadata)
    }
}

/// Whether a write tolerates that others changed the Secret since it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// It must be the same object.
    SameObject,
    /// It must be the same version of it.
    SameVersion,
}

/// Reads the metadata of Secrets, and writes them while this process leads.
#[derive(Clone)]
pub(crate) struct Writer {
    fence: Fence,
    client: Client,
}

impl Writer {
    /// Writes pass the fence.
    pub(crate) fn new(client: Client, fence: Fence) -> Self {
        Self { fence, client }
    }

    /// The Secret as it is now; none where there is none.
    pub(crate) async fn look(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Live>, WriteError> {
        let secret = format!("{namespace}/{name}");
        // A list of one: the operator may list Secrets, as it watches them, and needs no right to get.
        let one = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = self.api(namespace).list_metadata(&one).await;
        let found = found.map_err(|source| WriteError::Look {
            secret: secret.clone(),
            source,
        })?;
        Ok(found.items.into_iter().next().map(|object| Live {
            metadata: object.metadata,
            secret,
        }))
    }

    /// The first write, which fails where anything of that name exists.
    pub(crate) async fn create(&self, body: &Body) -> Result<Facts, WriteError> {
        let secret = format!("{}/{}", body.namespace(), body.name());
        let encode = |source| WriteError::Encode {
            secret: secret.clone(),
            source,
        };
        let params = PostParams {
            field_manager: Some(field_manager::SECRET.to_owned()),
            ..PostParams::default()
        };
        let url = Secret::url_path(&(), Some(body.namespace()));
        let bytes = serde_json::to_vec(body).map_err(encode)?;
        let request = Request::new(url).create(&params, bytes);
        let mut request = request.map_err(|source| WriteError::Write {
            secret: secret.clone(),
            source: kube::Error::BuildRequest(source),
        })?;
        request.headers_mut().insert(ACCEPT, METADATA_ALONE);
        let call = self.client.request::<PartialObjectMeta<Secret>>(request);
        written(&secret, self.fence.run(call).await?)
    }

    /// A later write. Keys that the body lacks go.
    pub(crate) async fn apply(
        &self,
        live: &Live,
        mut body: Body,
        since: Since,
    ) -> Result<Facts, WriteError> {
        let mut version = live.metadata.resource_version.clone();
        if let Some(entry) = first_write(&live.metadata) {
            version = self.own_by_apply(live, entry).await?;
        }
        body.metadata.uid.clone_from(&live.metadata.uid);
        body.metadata.resource_version = version.filter(|_| since == Since::SameVersion);
        let api = self.api(body.namespace());
        let params = PatchParams::apply(field_manager::SECRET).force();
        let name = body.name().to_owned();
        let patch = Patch::Apply(body);
        let call = api.patch_metadata(&name, &params, &patch);
        written(&live.secret, self.fence.run(call).await?)
    }

    /// Removes the Secret, if it is still the version that was looked at.
    pub(crate) async fn remove(&self, live: &Live) -> Result<(), WriteError> {
        let preconditions = Preconditions {
            uid: live.metadata.uid.clone(),
            resource_version: live.metadata.resource_version.clone(),
        };
        let params = DeleteParams::default().preconditions(preconditions);
        let (namespace, name) = live.secret.split_once('/').unwrap_or_default();
        let api = self.api(namespace);
        match self.fence.run(api.delete(name, &params)).await? {
            Ok(_) => Ok(()),
            Err(source) => Err(failed(&live.secret, source)),
        }
    }

    /// Turns what the first write owns into what an apply owns; gives the new resource version.
    async fn own_by_apply(&self, live: &Live, entry: usize) -> Result<Option<String>, WriteError> {
        let mut entries = live.metadata.managed_fields.clone().unwrap_or_default();
        if let Some(entry) = entries.get_mut(entry) {
            entry.operation = Some("Apply".to_owned());
        }
        let patch = Patch::Merge(json!({"metadata": {
            "uid": live.metadata.uid,
            "resourceVersion": live.metadata.resource_version,
            "managedFields": entries,
        }}));
        let (namespace, name) = live.secret.split_once('/').unwrap_or_default();
        let api = self.api(namespace);
        let params = PatchParams::default();
        let call = api.patch_metadata(name, &params, &patch);
        match self.fence.run(call).await? {
            Ok(object) => Ok(object.metadata.resource_version),
            Err(source) => Err(failed(&live.secret, source)),
        }
    }

    fn api(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn written(
    secret: &str,
    answer: Result<PartialObjectMeta<Secret>, kube::Error>,
) -> Result<Facts, WriteError> {
    let object = answer.map_err(|source| failed(secret, source))?;
    Facts::read(&object.metadata).map_err(|source| WriteError::Marks {
        secret: secret.to_owned(),
        source,
    })
}

/// 409 is a precondition that no longer holds, or a name that is taken; 404 an object that went.
fn failed(secret: &str, source: kube::Error) -> WriteError {
    let raced = matches!(&source, kube::Error::Api(status) if matches!(status.code, 404 | 409));
    let secret = secret.to_owned();
    if raced {
        WriteError::Raced { secret }
    } else {
        WriteError::Write { secret, source }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
