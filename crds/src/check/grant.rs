//! The fields of an `AwsGrant`.

use crate::{
    duration::LEAST_PAUSE_AFTER,
    field::{FieldError, at},
    grant::{AwsGrantSpec, SecretTemplate, Store},
    names::{OWN_KEY_PREFIX, label},
};
use alter_policy::{arn::RoleArn, metadata, name, tag};

impl AwsGrantSpec {
    /// Checks each field by itself; what its identity allows is another question.
    pub fn check(&self) -> Result<(), FieldError> {
        name::check_identity_name(&self.identity).map_err(at("spec.identity"))?;
        if let Some(role_arn) = &self.role_arn {
            RoleArn::parse(role_arn).map_err(at("spec.roleArn"))?;
        }
        for (index, hop) in self.role_chain.iter().enumerate() {
            RoleArn::parse(hop).map_err(at(&format!("spec.roleChain[{index}]")))?;
        }
        name::check_region(&self.region).map_err(at("spec.region"))?;
        tag::check_all(&self.tags).map_err(at("spec.tags"))?;
        if let Some(external_id) = &self.external_id {
            name::check_external_id(external_id).map_err(at("spec.externalId"))?;
        }
        if let Some(session_name) = &self.session_name {
            name::check_session_name(session_name).map_err(at("spec.sessionName"))?;
        }
        if let Some(secret_name) = &self.secret_name {
            name::check_secret_name(secret_name).map_err(at("spec.secretName"))?;
        }
        if let Some(template) = &self.secret_template {
            template.check()?;
        }
        self.check_kind()?;
        self.check_session_policy(self.owner(None))?;
        self.check_refresh_before()?;
        self.check_pause_after()
    }

    fn check_refresh_before(&self) -> Result<(), FieldError> {
        let before = self.refresh_before()?;
        if before.is_some_and(|before| before >= self.duration()) {
            let problem = format!(
                "it must be shorter than spec.durationSeconds ({} s)",
                self.duration_seconds
            );
            return Err(FieldError::new("spec.refreshBefore", &problem));
        }
        Ok(())
    }

    fn check_pause_after(&self) -> Result<(), FieldError> {
        let Some(after) = self.pause_after()? else {
            return Ok(());
        };
        let template = self.secret_template.as_ref();
        let problem = if after < LEAST_PAUSE_AFTER {
            "it must be 10 minutes or more: write one such as 1h"
        } else if self.store == Store::Broker {
            "it is of store Secret alone, as the broker renews nothing that no pod asks for: remove it"
        } else if template.is_some_and(|own| own.env) {
            "it excludes secretTemplate.env, as pods that take the Secret by themselves are not seen: remove one or \
             the other"
        } else {
            return Ok(());
        };
        Err(FieldError::new("spec.pauseAfter", &problem))
    }
}

impl SecretTemplate {
    /// Checks that a Secret can carry the labels and annotations, and that none is Alter's own.
    pub fn check(&self) -> Result<(), FieldError> {
        const LABELS: &str = "spec.secretTemplate.labels";
        const ANNOTATIONS: &str = "spec.secretTemplate.annotations";
        for (field, keys) in [
            (LABELS, self.labels.keys()),
            (ANNOTATIONS, self.annotations.keys()),
        ] {
            let mut own = keys.filter(|key| is_own(key) || *key == label::MANAGED_BY);
            if let Some(key) = own.next() {
                let problem = format!("{key:?} is Alter's own: remove it");
                return Err(FieldError::new(field, &problem));
            }
        }
        metadata::check_labels(&self.labels).map_err(at(LABELS))?;
        metadata::check_annotations(&self.annotations).map_err(at(ANNOTATIONS))
    }
}

/// In any case: the API server takes annotations whose prefix differs from Alter's in case alone, which
/// nobody should have to tell apart.
fn is_own(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with(OWN_KEY_PREFIX) || key == OWN_KEY_PREFIX.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(field: &str, value: &Value) -> Result<(), String> {
        let mut spec = json!({
            "roleArn": "arn:aws:iam::111122223333:role/team-a",
            "region": "us-east-1",
        });
        spec[field] = value.clone();
        let spec: AwsGrantSpec = serde_json::from_value(spec).map_err(|e| e.to_string())?;
        spec.check().map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_is_named() {
        for (field, value, start) in [
            (
                "identity",
                json!("No_Name"),
                "spec.identity: \"No_Name\" is no name of an AwsIdentity",
            ),
            ("roleArn", json!("arn:aws:iam::1:role/x"), "spec.roleArn: "),
            (
                "roleArn",
                json!("arn:aws:iam::111122223333:role/a-*"),
                "spec.roleArn: ",
            ),
            (
                "region",
                json!("mars"),
                "spec.region: \"mars\" is no AWS region",
            ),
            (
                "tags",
                json!({"ALTER-namespace": "x"}),
                "spec.tags: tag key \"ALTER-namespace\" is reserved",
            ),
            (
                "tags",
                json!({"a": "{x}"}),
                "spec.tags: the value of tag \"a\"",
            ),
            (
                "externalId",
                json!("a b"),
                "spec.externalId: \"a b\" is no external ID",
            ),
            (
                "sessionName",
                json!("a/b"),
                "spec.sessionName: \"a/b\" is no session name",
            ),
            (
                "secretName",
                json!("a..b"),
                "spec.secretName: \"a..b\" is no name of a Secret",
            ),
            (
                "refreshBefore",
                json!("soon"),
                "spec.refreshBefore: \"soon\" is no duration",
            ),
            (
                "refreshBefore",
                json!("60m"),
                "spec.refreshBefore: it must be shorter than spec.durationSeconds (3600 s)",
            ),
            (
                "pauseAfter",
                json!("later"),
                "spec.pauseAfter: \"later\" is no duration",
            ),
            (
                "pauseAfter",
                json!("9m59s"),
                "spec.pauseAfter: it must be 10 minutes or more",
            ),
        ] {
            let message = check(field, &value).unwrap_err();
            assert!(message.starts_with(start), "{field}: {value}: {message}");
        }
        assert_eq!(check("refreshBefore", &json!("59m")), Ok(()));
    }

    #[test]
    fn a_pause_is_of_secrets_whose_pods_are_seen() {
        let check = |more: Value| {
            let mut spec = json!({"region": "us-east-1", "pauseAfter": "10m",
                "roleArn": "arn:aws:iam::111122223333:role/team-a"});
            let own = spec.as_object_mut().unwrap();
            own.extend(more.as_object().unwrap().clone());
            let spec: AwsGrantSpec = serde_json::from_value(spec).unwrap();
            spec.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(json!({"secretTemplate": {}})), Ok(()));
        let brokered = check(json!({"store": "Broker"})).unwrap_err();
        assert!(brokered.starts_with("spec.pauseAfter: it is of store Secret"));
        let env = check(json!({"secretTemplate": {"env": true}})).unwrap_err();
        assert!(env.starts_with("spec.pauseAfter: it excludes secretTemplate.env"));
    }

    #[test]
    fn what_a_secret_cannot_carry_is_named() {
        for (template, start) in [
            (
                json!({"labels": {"a b": "c"}}),
                "spec.secretTemplate.labels: key \"a b\" is none",
            ),
            (
                json!({"labels": {"a": "b/c"}}),
                "spec.secretTemplate.labels: the value of \"a\" is none",
            ),
            (
                json!({"labels": {"alter.dev/grant": "x"}}),
                "spec.secretTemplate.labels: \"alter.dev/grant\" is Alter's own",
            ),
            (
                json!({"labels": {"alter.dev": "x"}}),
                "spec.secretTemplate.labels: \"alter.dev\" is Alter's own",
            ),
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "x"}}),
                "spec.secretTemplate.labels: \"app.kubernetes.io/managed-by\" is Alter's own",
            ),
            (
                json!({"annotations": {"/a": ""}}),
                "spec.secretTemplate.annotations: key \"/a\" is none",
            ),
            (
                json!({"annotations": {"Alter.dev/grant-uid": ""}}),
                "spec.secretTemplate.annotations: \"Alter.dev/grant-uid\" is Alter's own",
            ),
            (
                json!({"annotations": {"a": "x".repeat(256 << 10)}}),
                "spec.secretTemplate.annotations: keys and values have 262145 bytes",
            ),
        ] {
            let message = check("secretTemplate", &template).unwrap_err();
            assert!(message.starts_with(start), "{message}");
        }
        let good = json!({
            "labels": {"team": "a", "example.com/cost": "1"},
            "annotations": {"reflector.example.com/to": "*", "x.alter.dev/note": "a b"},
        });
        assert_eq!(check("secretTemplate", &good), Ok(()));
    }
}
