//! The calls that read a session's Secret's metadata and write the Secret.
//!
//! Every answer is asked for as metadata alone, so that no secret comes back.

use super::{
    body::Body,
    facts::{Facts, NotOurs},
};
use crate::{
    accept::METADATA_ALONE,
    lease::{Fence, Fenced},
};
use alter_crds::{answer::InWords, condition::reason, names::field_manager};
use http::header::ACCEPT;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{PartialObjectMeta, Request},
};

/// The field selector of sessions' Secrets.
pub(crate) const OF_SESSIONS: &str = "type=alter.dev/aws-session";

/// Why a Secret was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// Its metadata could not be read.
    #[error(
        "cannot read the metadata of Secret {secret}: {}; check that the operator may list secrets",
        InWords(.source)
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
    /// The API server did not answer while others' writes went on.
    #[error(
        "no answer to the write of Secret {secret} in time; find what holds up writes of Secrets, such as a webhook"
    )]
    Slow {
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
        "cannot write Secret {secret}: {}; check that it is not immutable, that the namespace's quota leaves room, and that the operator may create and patch secrets there",
        InWords(.source)
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
            Self::Look { .. }
            | Self::Slow { .. }
            | Self::Encode { .. }
            | Self::Write { .. }
            | Self::Marks { .. } => reason::SECRET_WRITE_FAILED,
        }
    }
}

/// A Secret as the API server has it now.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    metadata: ObjectMeta,
    secret: String,
    /// Its marks are Alter's, and its type is not.
    other_type: bool,
}

impl Live {
    /// What its metadata says.
    pub(crate) fn facts(&self) -> Result<Facts, NotOurs> {
        if self.other_type {
            return Err(NotOurs::Type);
        }
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

    /// The Secret as it is now, of whatever type; none where there is none.
    pub(crate) async fn look(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Live>, WriteError> {
        let fields = format!("metadata.name={name}");
        self.look_by(namespace, name, &fields).await
    }

    /// The Secret as it is now, where the watch, which brings those of a session's type alone, knows of none: its
    /// metadata does not show its type, so one that has Alter's marks is asked for once more, by its type.
    pub(crate) async fn look_at_unknown(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Live>, WriteError> {
        let Some(live) = self.look(namespace, name).await? else {
            return Ok(None);
        };
        if live.facts().is_err() {
            return Ok(Some(live));
        }
        let own = self.look_at_session(namespace, name).await?;
        Ok(Some(own.unwrap_or(Live {
            other_type: true,
            ..live
        })))
    }

    /// The Secret as it is now, if it is of a session's type: the operator may change no other.
    pub(crate) async fn look_at_session(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Live>, WriteError> {
        let fields = format!("metadata.name={name},{OF_SESSIONS}");
        self.look_by(namespace, name, &fields).await
    }

    async fn look_by(
        &self,
        namespace: &str,
        name: &str,
        fields: &str,
    ) -> Result<Option<Live>, WriteError> {
        let secret = format!("{namespace}/{name}");
        // A list of one: the operator may list Secrets, as it watches them, and needs no right to get.
        let one = ListParams::default().fields(fields);
        let found = self.api(namespace).list_metadata(&one).await;
        let found = found.map_err(|source| WriteError::Look {
            secret: secret.clone(),
            source,
        })?;
        Ok(found.items.into_iter().next().map(|object| Live {
            metadata: object.metadata,
            secret,
            other_type: false,
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
        written(&secret, self.run(&secret, call).await?)
    }

    /// A later write, which leaves nothing of what stood in data, labels and annotations, whoever put it
    /// there: an apply would leave what another field manager owns too.
    ///
    /// A Secret that was made immutable is removed and made anew.
    pub(crate) async fn replace(
        &self,
        live: &Live,
        body: &Body,
        since: Since,
    ) -> Result<Facts, WriteError> {
        let metadata = &live.metadata;
        let version = metadata
            .resource_version
            .as_ref()
            .filter(|_| since == Since::SameVersion);
        let request = patch(
            &live.secret,
            body,
            &body.replacement(metadata.uid.as_deref(), version.map(String::as_str)),
        )?;
        let call = self.client.request::<PartialObjectMeta<Secret>>(request);
        match self.run(&live.secret, call).await? {
            Err(kube::Error::Api(status))
                if status.code == 422 && status.message.contains("immutable") =>
            {
                self.remove(live).await?;
                self.create(body).await
            }
            answer => written(&live.secret, answer),
        }
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
        match self.run(&live.secret, api.delete(name, &params)).await? {
            Ok(_) => Ok(()),
            Err(source) => Err(failed(&live.secret, source)),
        }
    }

    /// A write that was cut off while this process goes on leading is its own to try again: no other will.
    async fn run<F: Future>(&self, secret: &str, call: F) -> Result<F::Output, WriteError> {
        match self.fence.run(call).await {
            Err(Fenced::TooSlow) => Err(WriteError::Slow {
                secret: secret.to_owned(),
            }),
            answer => Ok(answer?),
        }
    }

    fn api(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// A JSON Patch of the Secret that is answered with metadata alone.
fn patch(
    secret: &str,
    body: &Body,
    operations: &impl serde::Serialize,
) -> Result<http::Request<Vec<u8>>, WriteError> {
    let bytes = serde_json::to_vec(operations).map_err(|source| WriteError::Encode {
        secret: secret.to_owned(),
        source,
    })?;
    let url = Secret::url_path(&(), Some(body.namespace()));
    let params = PatchParams {
        field_manager: Some(field_manager::SECRET.to_owned()),
        ..PatchParams::default()
    };
    let empty = Patch::<()>::Json(json_patch::Patch(Vec::new()));
    let request = Request::new(url).patch(body.name(), &params, &empty);
    let mut request = request.map_err(|source| WriteError::Write {
        secret: secret.to_owned(),
        source: kube::Error::BuildRequest(source),
    })?;
    request.headers_mut().insert(ACCEPT, METADATA_ALONE);
    *request.body_mut() = bytes;
    Ok(request)
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
