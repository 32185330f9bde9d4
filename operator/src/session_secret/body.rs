//! What is written into a session's Secret.

use super::facts::Facts;
use crate::encoded::Encoded;
use alter_crds::{
    AwsGrant,
    names::{label, secret},
};
use alter_protocol::{GrantDocument, Revocation, Session, grant, pod, session::rfc3339};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::Serialize;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// A Secret to be written: all keys at once, zeroed when dropped, and never shown by `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    api_version: &'static str,
    kind: &'static str,
    #[serde(rename = "type")]
    type_: &'static str,
    pub(crate) metadata: ObjectMeta,
    data: BTreeMap<&'static str, Encoded>,
}

/// One operation of a JSON Patch.
#[derive(Serialize)]
pub(crate) struct Operation<'a> {
    op: &'static str,
    path: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Map(&'a Option<BTreeMap<String, String>>),
    Data(&'a BTreeMap<&'static str, Encoded>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("metadata", &self.metadata)
            .field("keys", &self.data.keys())
            .finish_non_exhaustive()
    }
}

impl Body {
    /// The Secret's name.
    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The JSON Patch (RFC 6902) that makes a Secret this one. It fails where the object's UID, or its
    /// version if there is one, is another.
    pub(crate) fn replacement<'a>(
        &'a self,
        uid: Option<&'a str>,
        version: Option<&'a str>,
    ) -> Vec<Operation<'a>> {
        let test = |path, value| Operation {
            op: "test",
            path,
            value: Value::Text(value),
        };
        // "add" replaces what is there.
        let put = |path, value| Operation {
            op: "add",
            path,
            value,
        };
        let metadata = &self.metadata;
        let mut operations = vec![test("/metadata/uid", uid.unwrap_or_default())];
        // Not a test: the API server calls another version a conflict.
        let version = version.map(|own| put("/metadata/resourceVersion", Value::Text(own)));
        operations.extend(version);
        operations.push(put("/metadata/labels", Value::Map(&metadata.labels)));
        operations.push(put(
            "/metadata/annotations",
            Value::Map(&metadata.annotations),
        ));
        operations.push(put("/data", Value::Data(&self.data)));
        operations
    }

    /// The Secret's namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }
}

/// A Secret with a session in it.
pub(crate) fn serving(
    grant: &AwsGrant,
    session: &Session,
    assumed_role_arn: &str,
    digest: &str,
    now: Timestamp,
) -> Body {
    let name = grant.name_any();
    let mut data = BTreeMap::from([
        (pod::CREDENTIALS_JSON, Encoded(session.to_process_json())),
        (
            pod::CREDENTIALS_FILE,
            Encoded(session.to_shared_credentials(&profiles(&name))),
        ),
        (
            pod::GRANT_JSON,
            Encoded(Zeroizing::new(grant.document().to_json())),
        ),
    ]);
    if template(grant).is_some_and(|template| template.env) {
        data.insert(
            "AWS_ACCESS_KEY_ID",
            Encoded::from(session.access_key_id.as_str()),
        );
        data.insert(
            "AWS_SECRET_ACCESS_KEY",
            Encoded(session.secret_access_key.clone()),
        );
        data.insert("AWS_SESSION_TOKEN", Encoded(session.session_token.clone()));
        data.insert("AWS_REGION", Encoded::from(grant.spec.region.as_str()));
        data.insert(
            "AWS_DEFAULT_REGION",
            Encoded::from(grant.spec.region.as_str()),
        );
    }
    let annotations = [
        (secret::GRANT_UID, grant.uid().unwrap_or_default()),
        (secret::ISSUED_AT, rfc3339(now)),
        (secret::EXPIRATION, rfc3339(session.expiration)),
        (secret::ACCESS_KEY_ID, session.access_key_id.clone()),
        (secret::ASSUMED_ROLE_ARN, assumed_role_arn.to_owned()),
        (secret::INPUT_DIGEST, digest.to_owned()),
    ];
    body(metadata_of(grant, annotations), data)
}

/// The grant's Secret without a session: `grant.json` alone, which says why.
pub(crate) fn revoked(
    grant: &AwsGrant,
    revocation: Revocation,
    expiration: Option<Timestamp>,
    now: Timestamp,
) -> Body {
    let mut annotations = vec![
        (secret::GRANT_UID, grant.uid().unwrap_or_default()),
        (secret::REVOKED_AT, rfc3339(now)),
        (secret::REVOKED_REASON, revocation.reason.clone()),
    ];
    annotations.extend(expiration.map(|at| (secret::EXPIRATION, rfc3339(at))));
    let document = GrantDocument {
        revoked: Some(revocation),
        ..grant.document()
    };
    body(metadata_of(grant, annotations), document_alone(&document))
}

/// The Secret of a grant that is gone, whose region and role are no longer known.
pub(crate) fn orphaned(
    namespace: &str,
    name: &str,
    facts: &Facts,
    revocation: Revocation,
    now: Timestamp,
) -> Body {
    let annotations = [
        (secret::GRANT_UID, facts.grant_uid.clone()),
        (secret::REVOKED_AT, rfc3339(now)),
        (secret::REVOKED_REASON, revocation.reason.clone()),
    ];
    let document = GrantDocument {
        version: grant::VERSION,
        namespace: namespace.to_owned(),
        grant: facts.grant.clone(),
        region: String::new(),
        role_arn: String::new(),
        service_accounts: Vec::new(),
        deliveries: Vec::new(),
        revoked: Some(revocation),
    };
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(own_labels(&facts.grant)),
        annotations: Some(owned(annotations)),
        ..ObjectMeta::default()
    };
    body(metadata, document_alone(&document))
}

/// The profile of the grant's name, and `default`.
fn profiles(grant: &str) -> Vec<&str> {
    let mut profiles = vec![grant];
    profiles.extend((grant != "default").then_some("default"));
    profiles
}

fn document_alone(document: &GrantDocument) -> BTreeMap<&'static str, Encoded> {
    BTreeMap::from([(pod::GRANT_JSON, Encoded(Zeroizing::new(document.to_json())))])
}

fn body(metadata: ObjectMeta, data: BTreeMap<&'static str, Encoded>) -> Body {
    Body {
        api_version: "v1",
        kind: "Secret",
        type_: secret::SESSION_TYPE,
        metadata,
        data,
    }
}

fn template(grant: &AwsGrant) -> Option<&alter_crds::grant::SecretTemplate> {
    grant.spec.secret_template.as_ref()
}

/// The template's labels and annotations with Alter's own over them. Those that the API server would refuse
/// are left out: no template may keep a session from being taken away.
fn metadata_of(
    grant: &AwsGrant,
    annotations: impl IntoIterator<Item = (&'static str, String)>,
) -> ObjectMeta {
    let template = template(grant).filter(|own| own.check().is_ok());
    let template = template.cloned().unwrap_or_default();
    let mut labels = template.labels;
    labels.extend(own_labels(&grant.name_any()));
    let mut all = template.annotations;
    all.extend(owned(annotations));
    ObjectMeta {
        name: Some(grant.secret_name()),
        namespace: grant.namespace(),
        labels: Some(labels),
        annotations: Some(all),
        ..ObjectMeta::default()
    }
}

fn own_labels(grant: &str) -> BTreeMap<String, String> {
    owned([
        (label::MANAGED_BY, label::OPERATOR.to_owned()),
        (secret::GRANT_LABEL, grant.to_owned()),
    ])
}

fn owned(pairs: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
