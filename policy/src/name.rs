//! The character rules of names: STS's parameters, regions, DNS labels.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

/// Why a text cannot be what it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: write {rule}")]
pub struct NameError {
    /// The offending text.
    pub text: String,
    /// What it was meant to be.
    pub what: &'static str,
    /// What AWS or Kubernetes accepts.
    pub rule: &'static str,
}

fn check(valid: bool, text: &str, what: &'static str, rule: &'static str) -> Result<(), NameError> {
    if valid {
        Ok(())
    } else {
        Err(NameError {
            text: text.to_owned(),
            what,
            rule,
        })
    }
}

/// Whether STS takes the character in session names and source identities.
#[must_use]
pub const fn is_session_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '=' | ',' | '.' | '@' | '-')
}

/// The session name by which Alter assumes a role for revocations, and nobody's grant another: that role's trust
/// policy asks for it.
pub const REVOCATION_SESSION: &str = "alter.revocation";

/// `RoleSessionName`, as grants and identities may choose it.
pub fn check_session_name(text: &str) -> Result<(), NameError> {
    check(
        text != REVOCATION_SESSION,
        text,
        "session name to choose",
        "another: Alter takes it for revocations",
    )?;
    let valid = (2..=64).contains(&text.len()) && text.chars().all(is_session_char);
    check(
        valid,
        text,
        "session name",
        "2 to 64 letters, digits and any of _+=,.@-",
    )
}

/// `SourceIdentity`.
pub fn check_source_identity(text: &str) -> Result<(), NameError> {
    let valid = (2..=64).contains(&text.len())
        && text.chars().all(is_session_char)
        && !text.to_ascii_lowercase().starts_with("aws:");
    check(
        valid,
        text,
        "source identity",
        "2 to 64 letters, digits and any of _+=,.@-",
    )
}

/// `ExternalId`.
pub fn check_external_id(text: &str) -> Result<(), NameError> {
    let valid = (2..=1224).contains(&text.len())
        && text
            .chars()
            .all(|c| is_session_char(c) || matches!(c, ':' | '/'));
    check(
        valid,
        text,
        "external ID",
        "2 to 1224 letters, digits and any of _+=,.@:/-",
    )
}

/// An AWS region, by its shape: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub fn check_region(text: &str) -> Result<(), NameError> {
    let mut parts = text.split('-');
    let number = parts.next_back().unwrap_or_default();
    let words: Vec<_> = parts.collect();
    let valid = text.len() <= 32
        && words.len() >= 2
        && words
            .iter()
            .all(|word| word.len() >= 2 && word.bytes().all(|b| b.is_ascii_lowercase()))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit());
    check(valid, text, "AWS region", "one such as us-east-1")
}

/// A DNS label of at most `limit` characters (RFC 1123), as Kubernetes has them.
#[must_use]
pub fn is_dns_label(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A DNS subdomain of at most `limit` characters (RFC 1123): labels with dots between them.
#[must_use]
pub fn is_dns_subdomain(text: &str, limit: usize) -> bool {
    text.len() <= limit && text.split('.').all(|label| is_dns_label(label, limit))
}

/// What Kubernetes takes as the name of most objects.
const SUBDOMAIN: &str = "at most 253 lower-case letters, digits, - and ., with a letter or digit before and after each .";

/// The name of a Secret.
pub fn check_secret_name(text: &str) -> Result<(), NameError> {
    check(
        is_dns_subdomain(text, 253),
        text,
        "name of a Secret",
        SUBDOMAIN,
    )
}

/// The name of an identity; one of another form can never come.
pub fn check_identity_name(text: &str) -> Result<(), NameError> {
    check(
        is_dns_subdomain(text, 253),
        text,
        "name of an AwsIdentity",
        SUBDOMAIN,
    )
}

/// The name of a service account.
pub fn check_service_account_name(text: &str) -> Result<(), NameError> {
    let rule = "at most 253 lower-case letters, digits, - and ., with a letter or digit before and after each .";
    check(
        is_dns_subdomain(text, 253),
        text,
        "name of a service account",
        rule,
    )
}

/// The name of a grant: its Secret, its volume and its profile carry it.
pub fn check_grant_name(text: &str) -> Result<(), NameError> {
    let rule = "at most 50 lower-case letters, digits and -, with a letter or digit at both ends";
    check(is_dns_label(text, 50), text, "name of an AwsGrant", rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names() {
        for good in ["ab", "alter.team-a.bedrock", "a=b,c+d@e_f", &"x".repeat(64)] {
            assert_eq!(check_session_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(65);
        for bad in [
            "",
            "a",
            "a b",
            "a:b",
            "a/b",
            "ä-name",
            &long,
            REVOCATION_SESSION,
        ] {
            assert!(check_session_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn source_identities_do_not_pose_as_aws() {
        assert!(check_source_identity("alter.team-a").is_ok());
        assert!(check_source_identity("aws:x").is_err());
    }

    #[test]
    fn external_ids_may_hold_colon_and_slash() {
        assert!(check_external_id("org:team/a").is_ok());
        for bad in ["a", "a b", "a\n", &"x".repeat(1225)] {
            assert!(check_external_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_by_shape() {
        for good in [
            "us-east-1",
            "us-gov-west-1",
            "eusc-de-east-1",
            "us-isob-east-1",
            "ap-southeast-7",
        ] {
            assert_eq!(check_region(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "us",
            "us-east",
            "us-east-1a",
            "US-EAST-1",
            "us_east_1",
            "us-east-1.evil.example",
            "-east-1",
        ] {
            assert!(check_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secret_names_are_dns_subdomains() {
        for good in ["bedrock-aws", "a.b-c.d", &"x".repeat(253)] {
            assert_eq!(check_secret_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a..b", "a.-b", "a.", ".a", "A", "a/b", &"x".repeat(254)] {
            assert!(check_secret_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn grant_names_are_dns_labels() {
        assert!(check_grant_name("bedrock").is_ok());
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"x".repeat(51)] {
            assert!(check_grant_name(bad).is_err(), "{bad}");
        }
    }
}
