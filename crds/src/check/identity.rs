//! The fields of an `AwsIdentity`.

use crate::{
    field::{FieldError, at},
    identity::{AwsIdentitySpec, SessionTemplate},
};
use alter_policy::{
    name, tag,
    template::{self, Values},
};
use http::Uri;

impl AwsIdentitySpec {
    /// Checks each field; `cluster` is what the installation calls the cluster, which may be nothing.
    pub fn check(&self, cluster: &str) -> Result<(), FieldError> {
        name::check_region(&self.region).map_err(at("spec.region"))?;
        let endpoint = self.endpoints.as_ref().and_then(|own| own.sts.as_deref());
        if let Some(url) = endpoint {
            check_endpoint(url)?;
        }
        if let Some(key) = &self.credentials.access_key {
            const FIELD: &str = "spec.credentials.accessKey.secretRef.name";
            name::check_secret_name(&key.secret_ref.name).map_err(at(FIELD))?;
        }
        if let Some(session) = &self.session {
            check_session(session, cluster)?;
        }
        self.rules().map(|_| ())
    }
}

fn check_endpoint(url: &str) -> Result<(), FieldError> {
    const FIELD: &str = "spec.endpoints.sts";
    let invalid = |what: &str| {
        let problem =
            format!("{url:?} {what}: write one such as https://sts.us-east-1.amazonaws.com");
        FieldError::new(FIELD, &problem)
    };
    // First: no other message may repeat what could be a password.
    if url.contains('@') {
        return Err(FieldError::new(
            FIELD,
            &"it holds a user or password, which Alter does not send: remove what is before the @",
        ));
    }
    let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
    let host = uri.host().unwrap_or_default();
    if host.is_empty() || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(invalid("is no http or https URL"));
    }
    if uri.query().is_some() {
        return Err(invalid("has a query"));
    }
    Ok(())
}

fn check_session(session: &SessionTemplate, cluster: &str) -> Result<(), FieldError> {
    // Names of an ordinary length: what longer ones make of a template, each grant's own condition says.
    let values = Values {
        namespace: "namespace",
        grant: "grant",
        cluster,
        service_account: Some("account"),
        pod: Some("pod"),
    };
    if let Some(text) = &session.name {
        template::session_name(text, values).map_err(at("spec.session.name"))?;
    }
    if let Some(text) = &session.source_identity {
        template::source_identity(text, values).map_err(at("spec.session.sourceIdentity"))?;
    }
    if let Some(text) = &session.external_id {
        const FIELD: &str = "spec.session.externalId";
        template::external_id(text, values).map_err(at(FIELD))?;
        // Trust policies let a role be assumed by it: no grant may make another one's.
        template::check_distinct(text).map_err(at(FIELD))?;
    }
    let tags = session.tags.iter().flat_map(|tags| &tags.values);
    for (key, text) in tags.clone() {
        let field = format!("spec.session.tags.values[{key}]");
        template::tag_value(key, text, values).map_err(at(&field))?;
    }
    // Of the keys; the values are templates, which hold characters that tags do not.
    let keys = tags.map(|(key, _)| (key.clone(), String::new())).collect();
    tag::check_all(&keys).map_err(at("spec.session.tags.values"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(field: &str, value: &Value, cluster: &str) -> Result<(), String> {
        let mut spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}});
        spec[field] = value.clone();
        let spec: AwsIdentitySpec = serde_json::from_value(spec).map_err(|e| e.to_string())?;
        spec.check(cluster).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_is_named() {
        for (field, value, start) in [
            ("region", json!("mars"), "spec.region: "),
            (
                "endpoints",
                json!({"sts": "sts.example"}),
                "spec.endpoints.sts: \"sts.example\" is no http",
            ),
            (
                "endpoints",
                json!({"sts": "ftp://sts.example"}),
                "spec.endpoints.sts: \"ftp://sts.example\" is no http",
            ),
            (
                "endpoints",
                json!({"sts": "https://"}),
                "spec.endpoints.sts: ",
            ),
            (
                "endpoints",
                json!({"sts": "ftp://key:secret@sts.example"}),
                "spec.endpoints.sts: it holds a user",
            ),
            (
                "endpoints",
                json!({"sts": "https://sts.example/?a=b"}),
                "spec.endpoints.sts: \"https://sts.example/?a=b\" has a query",
            ),
            (
                "credentials",
                json!({"accessKey": {"secretRef": {"name": "a..b"}}}),
                "spec.credentials.accessKey.secretRef.name: ",
            ),
            (
                "session",
                json!({"name": "{node}"}),
                "spec.session.name: {node} stands for nothing",
            ),
            (
                "session",
                json!({"sourceIdentity": "aws:{grant}"}),
                "spec.session.sourceIdentity: ",
            ),
            (
                "session",
                json!({"externalId": "{grant"}),
                "spec.session.externalId: \"{grant\" has a { without its }",
            ),
            (
                "session",
                json!({"externalId": "{namespace}-{grant}"}),
                "spec.session.externalId: \"{namespace}-{grant}\" makes one text of",
            ),
            (
                "session",
                json!({"tags": {"values": {"team": "{namespace};"}}}),
                "spec.session.tags.values[team]: the value of tag \"team\" is refused",
            ),
            (
                "session",
                json!({"tags": {"values": {"eks-team": "{namespace}"}}}),
                "spec.session.tags.values: tag key \"eks-team\" is reserved",
            ),
            (
                "session",
                json!({"tags": {"values": {"Team": "a", "team": "a"}}}),
                "spec.session.tags.values: tag keys \"Team\" and \"team\" differ in case alone",
            ),
            (
                "allow",
                json!([{"namespaces": {"names": ["a"]}, "roleArns": ["*"]}]),
                "spec.allow[0].roleArns[0]: ",
            ),
        ] {
            let message = check(field, &value, "prod").unwrap_err();
            assert!(message.starts_with(start), "{field}: {value}: {message}");
            assert!(!message.contains("secret@"), "{message}");
        }
    }

    #[test]
    fn the_clusters_name_is_missed_where_a_template_wants_it() {
        let session = json!({"externalId": "{cluster}/{namespace}"});
        assert_eq!(check("session", &session, "prod"), Ok(()));
        let message = check("session", &session, "").unwrap_err();
        assert!(
            message.starts_with("spec.session.externalId: {cluster} stands for nothing here"),
            "{message}"
        );
    }

    #[test]
    fn names_that_only_people_read_may_be_ambiguous() {
        let session =
            json!({"name": "{namespace}-{grant}", "sourceIdentity": "{namespace}-{grant}"});
        assert_eq!(check("session", &session, ""), Ok(()));
    }
}
