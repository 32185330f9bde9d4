//! Writing a status.

use crate::{
    accept::METADATA_ALONE,
    lease::{Fence, Fenced},
};
use alter_crds::{answer::InWords, names::field_manager};
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
    "cannot write the status of {kind} {object}: {}; check that the operator may patch it",
    InWords(.source)
)]
pub(crate) struct StatusError {
    kind: String,
    object: String,
    source: kube::Error,
}

/// Replaces the whole status, so that fields it lacks go. Whether it was written: it is not where the
/// object is gone or is another of the same name, nor where this process no longer leads.
///
/// A JSON Patch: an apply costs the API server a fifth more. Nobody else writes a status but the broker, whose one
/// field of an identity's is passed on; it writes it anew where it came in between.
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
    let name = object.name_any();
    let failed = |source| StatusError {
        kind: K::kind(&()).into_owned(),
        object: match object.namespace() {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.clone(),
        },
        source,
    };
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": object.uid()},
        {"op": "add", "path": "/status", "value": status},
    ]);
    let operations = serde_json::from_value(operations);
    let operations = operations.map_err(|source| failed(kube::Error::SerdeError(source)))?;
    let params = PatchParams {
        field_manager: Some(field_manager::STATUS.to_owned()),
        ..PatchParams::default()
    };
    let url = K::url_path(&(), object.namespace().as_deref());
    let patch = Patch::<()>::Json(operations);
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
        Err(Fenced::TooSlow) => Err(failed(kube::Error::Service(
            "no answer in time".to_owned().into(),
        ))),
        Err(Fenced::NotLeading) => Ok(false),
    }
}

/// Gone, or another object of the same name. Both a failed test of the UID and a status that the schema refuses
/// are 422; only the second names its causes.
fn is_gone(answer: &Status) -> bool {
    let causes = answer.details.as_ref().map_or(0, |own| own.causes.len());
    answer.code == 404 || (answer.code == 422 && causes == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, details: &serde_json::Value) -> Status {
        serde_json::from_value(json!({"code": code, "details": details})).unwrap()
    }

    #[test]
    fn another_object_of_the_name_is_told_from_a_status_that_the_schema_refuses() {
        assert!(is_gone(&answer(404, &json!({"name": "bedrock"}))));
        assert!(is_gone(&answer(422, &json!({}))), "the test of the UID");
        let causes = json!({"causes": [{"reason": "FieldValueInvalid", "field": "status"}]});
        assert!(!is_gone(&answer(422, &causes)));
        assert!(!is_gone(&answer(403, &json!({}))));
        let edited_meanwhile = answer(409, &json!({"name": "bedrock"}));
        assert!(!is_gone(&edited_meanwhile), "it is tried again");
    }
}
