//! `caBundle` of the webhook configurations: what API servers trust the webhook by.

use crate::lease::{Fence, Fenced};
use alter_crds::{answer::InWords, names::field_manager};
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Why `caBundle` was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The configuration could not be read.
    #[error(
        "cannot read {kind} {name}: {}; check that the operator may get it",
        InWords(.source)
    )]
    Get {
        /// The kind.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The configuration could not be written.
    #[error(
        "cannot write caBundle of {kind} {name}: {}; check that the operator may patch it",
        InWords(.source)
    )]
    Apply {
        /// The kind.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// A kind whose entries hold a `caBundle`.
pub(crate) trait Configuration:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug
{
    /// Name and client configuration of each entry.
    fn entries(&self) -> Vec<(&str, &WebhookClientConfig)>;
}

impl Configuration for MutatingWebhookConfiguration {
    fn entries(&self) -> Vec<(&str, &WebhookClientConfig)> {
        let all = self.webhooks.iter().flatten();
        all.map(|own| (own.name.as_str(), &own.client_config))
            .collect()
    }
}

impl Configuration for ValidatingWebhookConfiguration {
    fn entries(&self) -> Vec<(&str, &WebhookClientConfig)> {
        let all = self.webhooks.iter().flatten();
        all.map(|own| (own.name.as_str(), &own.client_config))
            .collect()
    }
}

/// Makes every entry of the configuration hold the bundle; touches nothing else, and writes nothing where
/// it does already.
pub(crate) async fn keep<K: Configuration>(
    client: &Client,
    fence: &Fence,
    name: &str,
    bundle: &str,
) -> Result<(), BundleError> {
    let kind = K::kind(&()).into_owned();
    let api: Api<K> = Api::all(client.clone());
    let found = api.get_opt(name).await.map_err(|source| BundleError::Get {
        kind: kind.clone(),
        name: name.to_owned(),
        source,
    })?;
    let Some(found) = found else {
        tracing::warn!(
            kind,
            name,
            "there is no such configuration: the webhook is not installed"
        );
        return Ok(());
    };
    let Some(patch) = patch(&found, bundle) else {
        return Ok(());
    };
    let params = PatchParams::apply(field_manager::CERTIFICATE).force();
    let patch = Patch::Apply(patch);
    let applied = fence.run(api.patch_metadata(name, &params, &patch)).await?;
    applied.map_err(|source| BundleError::Apply {
        kind: kind.clone(),
        name: name.to_owned(),
        source,
    })?;
    tracing::info!(kind, name, "caBundle was written");
    Ok(())
}

/// The apply that sets `caBundle` in every entry; none where all of them hold it. It carries the UID, so
/// that it never makes a configuration that has just been removed.
fn patch<K: Configuration>(found: &K, bundle: &str) -> Option<Value> {
    let bundle = ByteString(bundle.as_bytes().to_vec());
    let entries = found.entries();
    if entries
        .iter()
        .all(|(_, config)| config.ca_bundle.as_ref() == Some(&bundle))
    {
        return None;
    }
    let webhooks: Vec<_> = entries
        .iter()
        .map(|(name, _)| json!({"name": name, "clientConfig": {"caBundle": bundle}}))
        .collect();
    Some(json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": found.name_any(), "uid": found.uid()},
        "webhooks": webhooks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(bundles: [Option<&str>; 2]) -> ValidatingWebhookConfiguration {
        let entry = |name: &str, bundle: Option<&str>| {
            let bundle = bundle.map(|text| ByteString(text.as_bytes().to_vec()));
            json!({
                "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": {"caBundle": bundle, "service": {"name": "w", "namespace": "n"}},
            })
        };
        serde_json::from_value(json!({
            "metadata": {"name": "alter-webhook", "uid": "u"},
            "webhooks": [entry("a", bundles[0]), entry("b", bundles[1])],
        }))
        .unwrap()
    }

    #[test]
    fn only_ca_bundle_is_set_in_every_entry() {
        let patch = patch(&configuration([None, Some("old")]), "new").unwrap();
        let config = json!({"caBundle": "bmV3"});
        assert_eq!(
            patch,
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "alter-webhook", "uid": "u"},
                "webhooks": [
                    {"name": "a", "clientConfig": config},
                    {"name": "b", "clientConfig": config},
                ],
            })
        );
    }

    #[test]
    fn nothing_is_written_where_nothing_changes() {
        assert!(patch(&configuration([Some("new"), Some("new")]), "new").is_none());
        assert!(patch(&configuration([Some("new"), None]), "new").is_some());
    }
}
