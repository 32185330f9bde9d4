//! ARNs of IAM Roles Anywhere: trust anchors and profiles.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementrolesanywhere.html>

use crate::{arn::is_partition, name};

/// What an ARN of Roles Anywhere names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The CA that AWS trusts.
    TrustAnchor,
    /// The roles that its certificates may enter.
    Profile,
}

impl Resource {
    const fn word(self) -> &'static str {
        match self {
            Self::TrustAnchor => "trust-anchor",
            Self::Profile => "profile",
        }
    }
}

/// Why a text is no such ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no ARN of a {resource}: write arn:aws:rolesanywhere:us-east-1:111122223333:{resource}/ and its id"
)]
pub struct RolesAnywhereArnError {
    /// The text.
    pub text: String,
    /// What it should name.
    pub resource: &'static str,
}

/// The parts that decide whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolesAnywhereArn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// Such as `us-east-1`; the endpoint's, and of anchor and profile the same.
    pub region: &'a str,
}

impl<'a> RolesAnywhereArn<'a> {
    /// Takes an ARN of that kind apart.
    pub fn parse(text: &'a str, resource: Resource) -> Result<Self, RolesAnywhereArnError> {
        let word = resource.word();
        read(text, word).ok_or_else(|| RolesAnywhereArnError {
            text: text.to_owned(),
            resource: word,
        })
    }
}

fn read<'a>(text: &'a str, word: &str) -> Option<RolesAnywhereArn<'a>> {
    let parts: Vec<_> = text.split(':').collect();
    let ["arn", partition, "rolesanywhere", region, account, resource] = parts[..] else {
        return None;
    };
    let id = resource.strip_prefix(word)?.strip_prefix('/')?;
    let valid = is_partition(partition)
        && name::check_region(region).is_ok()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    valid.then_some(RolesAnywhereArn { partition, region })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

    #[test]
    fn anchors_and_profiles_are_told_apart() {
        let anchor = format!("arn:aws-cn:rolesanywhere:cn-north-1:111122223333:trust-anchor/{ID}");
        assert_eq!(
            RolesAnywhereArn::parse(&anchor, Resource::TrustAnchor),
            Ok(RolesAnywhereArn {
                partition: "aws-cn",
                region: "cn-north-1"
            })
        );
        let error = RolesAnywhereArn::parse(&anchor, Resource::Profile).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("is no ARN of a profile: write arn:aws")
        );
        let profile = anchor.replace("trust-anchor", "profile");
        assert!(RolesAnywhereArn::parse(&profile, Resource::Profile).is_ok());
    }

    #[test]
    fn what_would_lead_elsewhere_is_none() {
        for text in [
            "",
            "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/",
            "arn:aws:rolesanywhere:us-east-1:1111:trust-anchor/a",
            "arn:aws:rolesanywhere::111122223333:trust-anchor/a",
            "arn:aws:rolesanywhere:us-east-1.evil.example:111122223333:trust-anchor/a",
            "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/a/b",
            "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/a:b",
            "arn:amazon:rolesanywhere:us-east-1:111122223333:trust-anchor/a",
            "arn:aws:iam:us-east-1:111122223333:trust-anchor/a",
        ] {
            assert!(
                RolesAnywhereArn::parse(text, Resource::TrustAnchor).is_err(),
                "{text}"
            );
        }
    }
}
