//! What AWS is to be told where a grant's sessions are revoked, or why there is nothing to tell it.

use crate::{
    AwsGrant, AwsIdentity,
    condition::reason,
    field::{FieldError, at},
    names::{grant::REVOKE_BEFORE, session_tag},
};
use alter_policy::{
    arn::RoleArn,
    revocation::{Denial, policy_name},
};
use jiff::Timestamp;
use kube::ResourceExt;
use std::collections::BTreeMap;

/// What AWS is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// ARN of the role whose sessions are to be denied.
    pub role_arn: String,
    /// ARN of the role by which that is done.
    pub revocation_role_arn: String,
    /// The inline policy on the first.
    pub policy_name: String,
    /// Which sessions.
    pub denial: Denial,
}

/// Why AWS is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTold {
    /// The identity names no role for it.
    #[error(
        "AwsIdentity {identity} has no spec.revocation, so that AWS was not told: whoever has copied a session can use it until it expires; ask the platform team to write spec.revocation.roleArn, or to put the deny on the role by hand"
    )]
    NoRevocationRole {
        /// The identity.
        identity: String,
    },
    /// The sessions are of no role.
    #[error(
        "the grant's sessions are of the user of AwsIdentity {identity} and of no role, on which a policy could deny them: deactivate the user's access key, or put a deny on aws:TokenIssueTime on the user"
    )]
    NoRole {
        /// The identity.
        identity: String,
    },
    /// The grant's role cannot be read.
    #[error(transparent)]
    Role(#[from] FieldError),
    /// The role for it may do nothing to the grant's.
    #[error(
        "{role_arn} is not of the account and partition of {revocation_role_arn}, so that AWS was not told: put the deny on the role by hand, or use an AwsIdentity whose spec.revocation.roleArn is of the grant's account"
    )]
    OtherAccount {
        /// The grant's.
        role_arn: String,
        /// The identity's.
        revocation_role_arn: String,
    },
    /// Nothing tells the grant's sessions from others of the role.
    #[error(
        "the grant's sessions carry no tags that tell them from others of {role_arn}, so that AWS was not told: set spec.revocation.wholeRole of AwsIdentity {identity} to true, which cuts off everyone on that role; for sessions from then on, spec.session.tags.enabled tells them apart"
    )]
    NeedsWholeRole {
        /// The identity.
        identity: String,
        /// The role.
        role_arn: String,
    },
}

impl NotTold {
    /// One of [`reason`].
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::NoRevocationRole { .. } => reason::NO_REVOCATION_ROLE,
            Self::NoRole { .. } => reason::NO_ROLE,
            Self::Role(_) => reason::INVALID_SPEC,
            Self::OtherAccount { .. } => reason::OTHER_ACCOUNT,
            Self::NeedsWholeRole { .. } => reason::NEEDS_WHOLE_ROLE,
        }
    }
}

/// What AWS is to be told so that it denies the grant's sessions from before `cut`. Whether the identity allows the
/// grant was decided before: nobody may cut off a role that is not his to use.
pub fn order(
    identity: &AwsIdentity,
    grant: &AwsGrant,
    cluster: &str,
    cut: Timestamp,
) -> Result<Order, NotTold> {
    let name = || identity.name_any();
    let Some(role_arn) = &grant.spec.role_arn else {
        return Err(NotTold::NoRole { identity: name() });
    };
    let Some(own) = &identity.spec.revocation else {
        return Err(NotTold::NoRevocationRole { identity: name() });
    };
    let role = RoleArn::parse(role_arn).map_err(at("spec.roleArn"))?;
    let by = RoleArn::parse(&own.role_arn).map_err(at("spec.revocation.roleArn"))?;
    if role.owner() != by.owner() {
        return Err(NotTold::OtherAccount {
            role_arn: role_arn.clone(),
            revocation_role_arn: own.role_arn.clone(),
        });
    }
    let tags = tags_of(identity, grant, cluster);
    if tags.is_empty() && !own.whole_role {
        return Err(NotTold::NeedsWholeRole {
            identity: name(),
            role_arn: role_arn.clone(),
        });
    }
    Ok(Order {
        role_arn: role_arn.clone(),
        revocation_role_arn: own.role_arn.clone(),
        policy_name: policy_name(cluster),
        denial: Denial::new(tags, cut),
    })
}

/// The tags that every session of the grant carries, and nobody else's can: their keys are reserved. None where they
/// are not turned on; a role that is entered directly takes none, and with them none is.
fn tags_of(identity: &AwsIdentity, grant: &AwsGrant, cluster: &str) -> BTreeMap<String, String> {
    let session = identity.spec.session.as_ref();
    let tags = session.and_then(|own| own.tags.as_ref());
    if !tags.is_some_and(|own| own.enabled) || identity.spec.enters_directly(&grant.spec) {
        return BTreeMap::new();
    }
    let namespace = grant.namespace().unwrap_or_default();
    [
        (session_tag::NAMESPACE, namespace),
        (session_tag::GRANT, grant.name_any()),
        (session_tag::CLUSTER, cluster.to_owned()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

impl Order {
    /// What the status says once it is done.
    #[must_use]
    pub fn done(&self) -> String {
        let Self {
            role_arn,
            policy_name,
            denial,
            ..
        } = self;
        let whose = if denial.tags.is_empty() {
            "every session of the role, also of grants that are not annotated,"
        } else {
            "the grant's sessions"
        };
        format!(
            "policy {policy_name} on {role_arn} denies {whose} from before {}, as annotation {REVOKE_BEFORE} asked; AWS takes some \
             seconds to heed it everywhere",
            denial.before
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ROLE: &str = "arn:aws:iam::111122223333:role/teams/team-a";
    const BY: &str = "arn:aws:iam::111122223333:role/alter-revocation";

    fn objects(identity: &Value, grant: &Value) -> (AwsIdentity, AwsGrant) {
        let mut spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}});
        let fields = spec.as_object_mut().unwrap();
        fields.extend(identity.as_object().unwrap().clone());
        let identity = AwsIdentity::new("default", serde_json::from_value(spec).unwrap());
        let mut spec = json!({"roleArn": ROLE, "region": "us-east-1"});
        let fields = spec.as_object_mut().unwrap();
        fields.extend(grant.as_object().unwrap().clone());
        let mut grant = AwsGrant::new("bedrock", serde_json::from_value(spec).unwrap());
        grant.metadata.namespace = Some("team-a".to_owned());
        (identity, grant)
    }

    fn order_of(identity: &Value, grant: &Value, cluster: &str) -> Result<Order, NotTold> {
        let (identity, grant) = objects(identity, grant);
        order(&identity, &grant, cluster, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn sessions_with_tags_are_denied_by_them() {
        let identity = |whole| {
            json!({
                "revocation": {"roleArn": BY, "wholeRole": whole}, "session": {"tags": {"enabled": true}},
            })
        };
        for whole in [false, true] {
            let order = order_of(&identity(whole), &json!({}), "prod").unwrap();
            let tags: Vec<_> = order.denial.tags.values().map(String::as_str).collect();
            assert_eq!(tags, ["prod", "bedrock", "team-a"]);
            assert_eq!(
                (order.role_arn.as_str(), order.revocation_role_arn.as_str()),
                (ROLE, BY)
            );
            assert_eq!(order.policy_name, "alter-revocations-prod");
            assert!(
                order.done().contains("the grant's sessions"),
                "{}",
                order.done()
            );
        }
        let order = order_of(&identity(false), &json!({}), "").unwrap();
        assert_eq!(order.denial.tags.len(), 2);
    }

    #[test]
    fn without_tags_a_role_is_cut_off_only_where_that_is_said() {
        let revocation = |whole| json!({"revocation": {"roleArn": BY, "wholeRole": whole}});
        let error = order_of(&revocation(false), &json!({}), "").unwrap_err();
        assert_eq!(error.category(), "NeedsWholeRole");
        let text = error.to_string();
        assert!(
            text.contains("cuts off everyone") && text.contains(ROLE),
            "{text}"
        );
        let order = order_of(&revocation(true), &json!({}), "prod").unwrap();
        assert!(order.denial.tags.is_empty());
        assert!(order.done().contains("every session of the role"));
        // More tags of the identity's are not Alter's own.
        let others =
            json!({"revocation": {"roleArn": BY}, "session": {"tags": {"values": {"team": "a"}}}});
        assert!(order_of(&others, &json!({}), "").is_err());
    }

    #[test]
    fn whoever_is_not_told_reads_why() {
        let own = json!({"revocation": {"roleArn": BY, "wholeRole": true}});
        let elsewhere = "arn:aws:iam::444455556666:role/team-a";
        let china = "arn:aws-cn:iam::111122223333:role/team-a";
        for (identity, grant, category, word) in [
            (
                json!({}),
                json!({}),
                "NoRevocationRole",
                "spec.revocation.roleArn",
            ),
            (
                own.clone(),
                json!({"roleArn": null}),
                "NoRole",
                "access key",
            ),
            (
                own.clone(),
                json!({"roleArn": elsewhere}),
                "OtherAccount",
                elsewhere,
            ),
            (
                own.clone(),
                json!({"roleArn": china}),
                "OtherAccount",
                "partition",
            ),
            (
                own,
                json!({"roleArn": "x"}),
                "InvalidSpec",
                "spec.roleArn: ",
            ),
        ] {
            let error = order_of(&identity, &grant, "").unwrap_err();
            assert_eq!(error.category(), category);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
