//! Writing a status.

use crate::{
    lease::{Fence, Fenced},
    session_secret::METADATA_ALONE,
};
use alter_crds::names::field_manager;
use http::header::ACCEPT;
use kube::{
    Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::{PartialObjectMeta, Request, object::HasStatus, response::Status},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the status of {kind} {object}: {source}; check that the operator may patch it"
)]
pub(crate) struct StatusError {
    kind: String,
    object: String,
    source: kube::Error,
}

/// Applies the whole status, so that fields it lacks go. Whether it was written: it is not where the
/// object is gone or is another of the same name, nor where this process no longer leads.
pub(crate) async fn patch<K>(
    client: &Client,
    fence: &Fence,
    object: &K,
    status: &K::Status,
) -> Result<bool, StatusError>
where
    K: Resource<DynamicType = ()> + HasStatus + DeserializeOwned,
    K::Status: Serialize,
{
    let patch = Patch::Apply(json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": status,
    }));
    let params = PatchParams::apply(field_manager::STATUS).force();
    let name = object.name_any();
    let failed = |source| StatusError {
        kind: K::kind(&()).into_owned(),
        object: match object.namespace() {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.clone(),
        },
        source,
    };
    let url = K::url_path(&(), object.namespace().as_deref());
    let request = Request::new(url).patch_subresource("status", &name, &params, &patch);
    let mut request = request.map_err(|source| failed(kube::Error::BuildRequest(source)))?;
    request.headers_mut().insert(ACCEPT, METADATA_ALONE);
    match fence
        .run(client.request::<PartialObjectMeta<K>>(request))
        .await
    {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(kube::Error::Api(answer))) if is_gone(&answer) => Ok(false),
        Ok(Err(source)) => Err(failed(source)),
        Err(Fenced) => Ok(false),
    }
}

/// Gone, or another object of the same name.
fn is_gone(answer: &Status) -> bool {
    matches!(answer.code, 404 | 409)
}
