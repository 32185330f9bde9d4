//! Which grants enter the identity's own role, and need no second role session.

use crate::{grant::AwsGrantSpec, identity::AwsIdentitySpec};

impl AwsIdentitySpec {
    /// Whether the grant's role is the identity's own, and the way into it carries all that the session shall
    /// have. Then it is entered directly, and AWS's limit for sessions of sessions does not hold.
    ///
    /// `AssumeRoleWithWebIdentity` takes no tags, source identity or external ID; `CreateSession` no session
    /// name or policy either, and makes the certificate's common name the source identity. A grant that asks
    /// for more, or for roles before its own, goes by `AssumeRole`, so that nothing is left out unseen.
    #[must_use]
    pub fn enters_directly(&self, grant: &AwsGrantSpec) -> bool {
        let own_role = self.credentials.own_role();
        if own_role.is_none()
            || own_role != grant.role_arn.as_deref()
            || !grant.role_chain.is_empty()
        {
            return false;
        }
        let session = self.session.as_ref();
        let by_certificate = self.credentials.roles_anywhere.is_some();
        let tagged = !grant.tags.is_empty()
            || session
                .and_then(|own| own.tags.as_ref())
                .is_some_and(|tags| tags.enabled || !tags.values.is_empty());
        let external_id =
            grant.external_id.is_some() || session.is_some_and(|own| own.external_id.is_some());
        let source_identity =
            !by_certificate && session.is_some_and(|own| own.source_identity.is_some());
        let named = by_certificate && grant.session_name.is_some();
        let confined = by_certificate && grant.is_confined();
        !(tagged || external_id || source_identity || named || confined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Credentials;
    use serde_json::{Value, json};

    const ROLE: &str = "arn:aws:iam::111122223333:role/alter";

    fn token() -> Value {
        json!({"webIdentity": {"roleArn": ROLE, "serviceAccountRef": {"name": "a"}}})
    }

    fn certificate() -> Value {
        json!({"rolesAnywhere": {
            "trustAnchorArn": "t", "profileArn": "p", "roleArn": ROLE, "certificateSecretRef": {"name": "s"},
        }})
    }

    fn direct(credentials: &Value, session: &Value, grant: &Value) -> bool {
        let identity =
            json!({"region": "us-east-1", "credentials": credentials, "session": session});
        let mut spec = json!({"roleArn": ROLE, "region": "us-east-1"});
        let fields = spec.as_object_mut().unwrap();
        fields.extend(grant.as_object().unwrap().clone());
        let identity: AwsIdentitySpec = serde_json::from_value(identity).unwrap();
        identity.enters_directly(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn keys_and_certificates_are_in_secrets_and_tokens_are_not() {
        let secret = |credentials: Value| {
            let credentials: Credentials = serde_json::from_value(credentials).unwrap();
            credentials.secret_name().map(ToOwned::to_owned)
        };
        let key = json!({"accessKey": {"secretRef": {"name": "k"}}});
        assert_eq!(secret(key).as_deref(), Some("k"));
        assert_eq!(secret(certificate()).as_deref(), Some("s"));
        assert_eq!(secret(token()), None);
        assert_eq!(secret(json!({"ambient": {}})), None);
    }

    #[test]
    fn the_identitys_own_role_and_no_other() {
        for credentials in [token(), certificate()] {
            assert!(direct(&credentials, &json!({}), &json!({})));
            let other = json!({"roleArn": "arn:aws:iam::111122223333:role/team-a"});
            assert!(!direct(&credentials, &json!({}), &other));
        }
        for credentials in [
            json!({"ambient": {}}),
            json!({"accessKey": {"secretRef": {"name": "s"}}}),
        ] {
            assert!(!direct(&credentials, &json!({}), &json!({})));
        }
    }

    #[test]
    fn what_the_way_in_cannot_carry_goes_by_assume_role() {
        let (name, source) = (
            json!({"sessionName": "a-b"}),
            json!({"sourceIdentity": "{grant}"}),
        );
        for (session, grant) in [
            (json!({}), json!({"tags": {"team": "a"}})),
            (json!({"tags": {"enabled": true}}), json!({})),
            (json!({"tags": {"values": {"team": "a"}}}), json!({})),
            (json!({}), json!({"externalId": "a-b"})),
            (json!({"externalId": "{namespace}"}), json!({})),
        ] {
            assert!(!direct(&token(), &session, &grant), "{session} {grant}");
            assert!(
                !direct(&certificate(), &session, &grant),
                "{session} {grant}"
            );
        }
        assert!(!direct(&token(), &source, &json!({})));
        assert!(direct(&token(), &json!({}), &name));
        assert!(
            direct(&certificate(), &source, &json!({})),
            "it is the certificate's name"
        );
        assert!(!direct(&certificate(), &json!({}), &name));
        let chain = json!({"roleChain": ["arn:aws:iam::111122223333:role/hop"]});
        let confined = json!({"bedrock": {"models": ["amazon.nova*"]}});
        for (credentials, confined_too) in [(token(), true), (certificate(), false)] {
            assert!(!direct(&credentials, &json!({}), &chain));
            assert_eq!(direct(&credentials, &json!({}), &confined), confined_too);
        }
        let without = json!({"roleArn": null});
        assert!(!direct(&json!({"ambient": {}}), &json!({}), &without));
        let off = json!({"tags": {"enabled": false}, "name": "{grant}"});
        assert!(direct(&certificate(), &off, &json!({})));
    }
}
