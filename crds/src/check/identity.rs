//! The fields of an `AwsIdentity`.

use crate::{
    field::{FieldError, at},
    identity::{
        AllowRule, AwsIdentitySpec, Credentials, RolesAnywhere, SessionTemplate, WebIdentity,
    },
};
use alter_policy::{
    arn::RoleArn,
    name,
    roles_anywhere::{Resource, RolesAnywhereArn},
    tag,
    template::{self, Values},
};
use http::Uri;

impl AwsIdentitySpec {
    /// Checks each field; `cluster` is what the installation calls the cluster, which may be nothing.
    pub fn check(&self, cluster: &str) -> Result<(), FieldError> {
        name::check_region(&self.region).map_err(at("spec.region"))?;
        if let Some(endpoints) = &self.endpoints {
            for (field, url, example) in [
                (
                    "spec.endpoints.sts",
                    &endpoints.sts,
                    "https://sts.us-east-1.amazonaws.com",
                ),
                (
                    "spec.endpoints.rolesanywhere",
                    &endpoints.rolesanywhere,
                    "https://rolesanywhere.us-east-1.amazonaws.com",
                ),
                (
                    "spec.endpoints.iam",
                    &endpoints.iam,
                    "https://iam.amazonaws.com",
                ),
            ] {
                url.as_ref()
                    .map_or(Ok(()), |url| check_endpoint(field, url, example))?;
            }
        }
        check_credentials(&self.credentials)?;
        if let Some(session) = &self.session {
            check_session(session, cluster)?;
        }
        if let Some(revocation) = &self.revocation {
            RoleArn::parse(&revocation.role_arn).map_err(at("spec.revocation.roleArn"))?;
        }
        self.rules().map(|_| ())
    }

    /// Checks that no rule asks for labels of namespaces, for an installation that cannot see them.
    pub fn check_without_labels(&self) -> Result<(), FieldError> {
        let by_label = |rule: &AllowRule| rule.namespaces.selector.is_some();
        let Some(index) = self.allow.iter().position(by_label) else {
            return Ok(());
        };
        Err(FieldError::new(
            format!("spec.allow[{index}].namespaces.selector"),
            &"this installation watches some namespaces alone (the chart's watchNamespaces) and cannot see their labels: write names",
        ))
    }
}

fn check_endpoint(field: &str, url: &str, example: &str) -> Result<(), FieldError> {
    let invalid = |what: &str| {
        let problem = format!("{url:?} {what}: write one such as {example}");
        FieldError::new(field, &problem)
    };
    // First: no other message may repeat what could be a password.
    if url.contains('@') {
        return Err(FieldError::new(
            field,
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

fn check_credentials(credentials: &Credentials) -> Result<(), FieldError> {
    if let Some(key) = &credentials.access_key {
        const FIELD: &str = "spec.credentials.accessKey.secretRef.name";
        name::check_secret_name(&key.secret_ref.name).map_err(at(FIELD))?;
    }
    if let Some(token) = &credentials.web_identity {
        check_web_identity(token)?;
    }
    credentials
        .roles_anywhere
        .as_ref()
        .map_or(Ok(()), check_roles_anywhere)
}

fn check_web_identity(own: &WebIdentity) -> Result<(), FieldError> {
    const AUDIENCE: &str = "spec.credentials.webIdentity.audience";
    RoleArn::parse(&own.role_arn).map_err(at("spec.credentials.webIdentity.roleArn"))?;
    if own.audience.is_empty() {
        // The API server would put its own in its place, and so make a token for itself.
        return Err(FieldError::new(
            AUDIENCE,
            &"it is empty: write one that IAM's OIDC provider has, such as sts.amazonaws.com",
        ));
    }
    name::check_service_account_name(&own.service_account_ref.name)
        .map_err(at("spec.credentials.webIdentity.serviceAccountRef.name"))
}

fn check_roles_anywhere(own: &RolesAnywhere) -> Result<(), FieldError> {
    const ANCHOR: &str = "spec.credentials.rolesAnywhere.trustAnchorArn";
    const PROFILE: &str = "spec.credentials.rolesAnywhere.profileArn";
    const SECRET: &str = "spec.credentials.rolesAnywhere.certificateSecretRef.name";
    let anchor = RolesAnywhereArn::parse(&own.trust_anchor_arn, Resource::TrustAnchor);
    let anchor = anchor.map_err(at(ANCHOR))?;
    let profile = RolesAnywhereArn::parse(&own.profile_arn, Resource::Profile);
    if profile.map_err(at(PROFILE))? != anchor {
        let problem = format!(
            "it is of another region than the trust anchor: name a profile of {}",
            anchor.region
        );
        return Err(FieldError::new(PROFILE, &problem));
    }
    RoleArn::parse(&own.role_arn).map_err(at("spec.credentials.rolesAnywhere.roleArn"))?;
    name::check_secret_name(&own.certificate_secret_ref.name).map_err(at(SECRET))
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
    fn labels_that_cannot_be_seen_are_not_asked_for() {
        let spec = |namespaces: Value| -> AwsIdentitySpec {
            let named = json!({"names": ["a"]});
            let roles = json!(["arn:aws:iam::111122223333:role/team-a"]);
            let allow =
                [named, namespaces].map(|own| json!({"namespaces": own, "roleArns": roles}));
            serde_json::from_value(json!({
                "region": "us-east-1", "credentials": {"ambient": {}}, "allow": allow,
            }))
            .unwrap()
        };
        assert_eq!(spec(json!({"names": ["b"]})).check_without_labels(), Ok(()));
        // Also one that selects every namespace, and one that names would do for.
        for namespaces in [
            json!({"selector": {}}),
            json!({"names": ["b"], "selector": {}}),
        ] {
            let error = spec(namespaces).check_without_labels().unwrap_err();
            let message = error.to_string();
            assert!(
                message.starts_with("spec.allow[1].namespaces.selector: "),
                "{message}"
            );
        }
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
                "endpoints",
                json!({"iam": "iam.example"}),
                "spec.endpoints.iam: \"iam.example\" is no http",
            ),
            (
                "revocation",
                json!({"roleArn": "arn:aws:iam::1111:role/a"}),
                "spec.revocation.roleArn: ",
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
    fn every_field_of_a_role_of_its_own_is_named() {
        const ANCHOR: &str = "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/a-1";
        const PROFILE: &str = "arn:aws:rolesanywhere:us-east-1:111122223333:profile/b-2";
        const ROLE: &str = "arn:aws:iam::111122223333:role/alter";
        let token = |role: &str, audience: &str, account: &str| json!({"webIdentity": {"roleArn": role, "audience": audience, "serviceAccountRef": {"name": account}}});
        let certificate = |anchor: &str, profile: &str, role: &str, secret: &str| json!({"rolesAnywhere": {"trustAnchorArn": anchor, "profileArn": profile, "roleArn": role, "certificateSecretRef": {"name": secret}}});
        for good in [
            token(ROLE, "sts.amazonaws.com", "alter-operator"),
            json!({"webIdentity": {"roleArn": ROLE, "serviceAccountRef": {"name": "a.b"}}}),
            certificate(ANCHOR, PROFILE, ROLE, "certificate"),
        ] {
            assert_eq!(check("credentials", &good, ""), Ok(()));
        }
        for (value, start) in [
            (token("x", "a", "b"), "webIdentity.roleArn: "),
            (token(ROLE, "", "b"), "webIdentity.audience: it is empty"),
            (
                token(ROLE, "a", "B"),
                "webIdentity.serviceAccountRef.name: ",
            ),
            (
                certificate(PROFILE, PROFILE, ROLE, "a"),
                "rolesAnywhere.trustAnchorArn: ",
            ),
            (
                certificate(ANCHOR, ANCHOR, ROLE, "a"),
                "rolesAnywhere.profileArn: ",
            ),
            (
                certificate(
                    ANCHOR,
                    &PROFILE.replace("us-east-1", "eu-west-1"),
                    ROLE,
                    "a",
                ),
                "rolesAnywhere.profileArn: it is of another region than the trust anchor: name a profile of us-east-1",
            ),
            (
                certificate(ANCHOR, PROFILE, "x", "a"),
                "rolesAnywhere.roleArn: ",
            ),
            (
                certificate(ANCHOR, PROFILE, ROLE, "a..b"),
                "rolesAnywhere.certificateSecretRef.name: ",
            ),
        ] {
            let message = check("credentials", &value, "").unwrap_err();
            let start = format!("spec.credentials.{start}");
            assert!(message.starts_with(&start), "{value}: {message}");
        }
        let endpoint = json!({"rolesanywhere": "ftp://a.example"});
        let message = check("endpoints", &endpoint, "").unwrap_err();
        assert!(
            message.starts_with("spec.endpoints.rolesanywhere: \"ftp://a.example\" is no http")
                && message.ends_with("https://rolesanywhere.us-east-1.amazonaws.com"),
            "{message}"
        );
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
