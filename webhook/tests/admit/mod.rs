//! Admits a pod through the texts that go over the wire, and applies the patch as the API server would.

// The lint's exception for tests does not reach the functions around them.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result)]

use alter_crds::AwsGrant;
use alter_webhook::pod::{Asked, Denial, GrantView, Settings, inject, view::Pod};
use kube::ResourceExt;
use serde_json::Value;

/// The installation of the tests.
pub(super) fn plain_settings() -> Settings {
    let resources =
        r#"{"requests":{"cpu":"10m","memory":"16Mi"},"limits":{"cpu":"200m","memory":"64Mi"}}"#;
    Settings {
        image: "registry.example/alter-agent:0.1.0".to_owned(),
        pull_policy: "IfNotPresent",
        pull_secrets: Vec::new(),
        resources: resources.parse().unwrap(),
        metrics_port: 0,
        broker: None,
    }
}

/// The pod after and its warnings, or what its author reads; through the texts that go over the wire.
pub(super) fn admit(
    pod: &Value,
    grants: &[AwsGrant],
    settings: &Settings,
) -> Result<(Value, Vec<String>), String> {
    let sent = serde_json::to_string(pod).unwrap();
    let read: Pod<'_> = serde_json::from_str(&sent).unwrap();
    let decide = || {
        let asked = Asked::read(&read.metadata.annotations)?
            .expect("the cases are of pods that ask for a grant");
        let find = |name: &str| grants.iter().find(|grant| grant.name_any() == name);
        let views: Vec<_> = asked
            .grants
            .iter()
            .map(|name| GrantView {
                name,
                grant: find(name),
            })
            .collect();
        inject(&read, &asked, &views, settings)
    };
    let injection = decide().map_err(|denial: Denial| {
        assert!(!denial.category().is_empty());
        denial.to_string()
    })?;
    let sent = serde_json::to_string(&injection.patch).unwrap();
    let patch: json_patch::Patch = serde_json::from_str(&sent).unwrap();
    let mut after = pod.clone();
    json_patch::patch(&mut after, &patch).expect("the patch fits the pod");
    Ok((after, injection.warnings))
}
