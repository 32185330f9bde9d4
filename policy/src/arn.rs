//! ARNs of IAM roles, and the patterns that name several of them.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>

/// Why a text is no ARN of an IAM role, or no pattern for such.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleArnError {
    /// Not six parts.
    #[error("{0:?} is no role ARN: write arn:aws:iam::111122223333:role/name")]
    Shape(String),
    /// The partition is none that AWS has.
    #[error("{0:?} names no AWS partition: write aws, aws-cn, aws-us-gov or another of AWS's")]
    Partition(String),
    /// The account is not twelve digits.
    #[error("{0:?} names no account: write its twelve digits")]
    Account(String),
    /// The role's path or name holds what IAM does not allow.
    #[error("{0:?} names no role: after role/ come letters, digits and any of +=,.@_-/")]
    Name(String),
}

/// Of whom something is: what a role's ARN shares with all that the role may use in its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

impl<'a> Owner<'a> {
    /// The owner of anything whose ARN names an account.
    #[must_use]
    pub fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (arn, partition, _, _, account) = (next(), next(), next(), next(), next());
        let known = arn == "arn" && is_partition(partition) && is_account(account);
        known.then_some(Self { partition, account })
    }
}

/// The parts of a role's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleArn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// Path and name, without `role/`.
    pub name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// Whose the role is.
    #[must_use]
    pub const fn owner(&self) -> Owner<'a> {
        Owner {
            partition: self.partition,
            account: self.account,
        }
    }

    /// Takes an ARN apart, checking each part by IAM's rules.
    pub fn parse(text: &'a str) -> Result<Self, RoleArnError> {
        let arn = split(text)?;
        if !is_partition(arn.partition) {
            return Err(RoleArnError::Partition(text.to_owned()));
        }
        if !is_account(arn.account) {
            return Err(RoleArnError::Account(text.to_owned()));
        }
        let (path, name) = arn.name.rsplit_once('/').unwrap_or(("", arn.name));
        let valid = (1..=64).contains(&name.len())
            && name.bytes().all(is_name_byte)
            && path.len() <= 510
            && path
                .bytes()
                .all(|b| b == b'/' || is_name_byte(b) || b.is_ascii_punctuation());
        if !valid || text.contains('*') {
            return Err(RoleArnError::Name(text.to_owned()));
        }
        Ok(arn)
    }
}

/// A role ARN in whose account and name `*` stands for any characters, as in IAM policies.
///
/// Partition and account are compared apart from the name, so that a `*` never reaches across a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleArnPattern<'a>(RoleArn<'a>);

impl<'a> RoleArnPattern<'a> {
    /// Takes a pattern apart.
    pub fn parse(text: &'a str) -> Result<Self, RoleArnError> {
        let arn = split(text)?;
        if !is_partition(arn.partition) {
            return Err(RoleArnError::Partition(text.to_owned()));
        }
        if !is_account(arn.account) && arn.account != "*" {
            return Err(RoleArnError::Account(text.to_owned()));
        }
        let valid = |b: u8| b == b'*' || b == b'/' || is_name_byte(b);
        if arn.name.is_empty() || !arn.name.bytes().all(valid) {
            return Err(RoleArnError::Name(text.to_owned()));
        }
        Ok(Self(arn))
    }

    /// Whether the pattern names this role.
    #[must_use]
    pub fn matches(&self, arn: &RoleArn<'_>) -> bool {
        self.0.partition == arn.partition
            && (self.0.account == "*" || self.0.account == arn.account)
            && matches_wildcard(self.0.name, arn.name)
    }
}

/// The first of the patterns that names more roles than this one, and this one among them.
#[must_use]
pub fn covered_by(patterns: &[String], role_arn: &str) -> Option<usize> {
    let role = RoleArn::parse(role_arn).ok()?;
    patterns.iter().position(|text| {
        text != role_arn && RoleArnPattern::parse(text).is_ok_and(|pattern| pattern.matches(&role))
    })
}

fn split(text: &str) -> Result<RoleArn<'_>, RoleArnError> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    match resource.strip_prefix("role/") {
        Some(name) if arn == "arn" && service == "iam" && region.is_empty() => Ok(RoleArn {
            partition,
            account,
            name,
        }),
        _ => Err(RoleArnError::Shape(text.to_owned())),
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(crate) fn is_partition(text: &str) -> bool {
    text == "aws"
        || text.strip_prefix("aws-").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        })
}

const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=' | b',' | b'.' | b'@' | b'_' | b'-')
}

/// `*` stands for any number of characters. Linear in the text for each `*`: no backtracking.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts = tail.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_role() {
        let arn = RoleArn::parse("arn:aws-cn:iam::111122223333:role/teams/a/bedrock").unwrap();
        assert_eq!(
            arn,
            RoleArn {
                partition: "aws-cn",
                account: "111122223333",
                name: "teams/a/bedrock"
            }
        );
    }

    #[test]
    fn whatever_names_an_account_has_an_owner() {
        let owner = Owner {
            partition: "aws-us-gov",
            account: "111122223333",
        };
        for arn in [
            "arn:aws-us-gov:iam::111122223333:role/a",
            "arn:aws-us-gov:iam::111122223333:root",
            "arn:aws-us-gov:sts::111122223333:assumed-role/a/b:c",
        ] {
            assert_eq!(Owner::of(arn), Some(owner), "{arn}");
        }
        let role = RoleArn::parse("arn:aws-us-gov:iam::111122223333:role/a").unwrap();
        assert_eq!(role.owner(), owner);
        for arn in ["", "arn:aws:s3:::bucket", "arn:x:iam::111122223333:role/a"] {
            assert_eq!(Owner::of(arn), None, "{arn}");
        }
    }

    #[test]
    fn what_is_no_role_is_named() {
        for (text, part) in [
            ("", "is no role ARN"),
            ("arn:aws:iam::111122223333:user/a", "is no role ARN"),
            (
                "arn:aws:iam:us-east-1:111122223333:role/a",
                "is no role ARN",
            ),
            (
                "arn:aws:sts::111122223333:assumed-role/a/b",
                "is no role ARN",
            ),
            ("arn:amazon:iam::111122223333:role/a", "no AWS partition"),
            ("arn:aws:iam::1111:role/a", "names no account"),
            ("arn:aws:iam::11112222333x:role/a", "names no account"),
            ("arn:aws:iam::111122223333:role/", "names no role"),
            ("arn:aws:iam::111122223333:role/a b", "names no role"),
            ("arn:aws:iam::111122223333:role/a:b", "names no role"),
            ("arn:aws:iam::111122223333:role/team-*", "names no role"),
            ("arn:aws:iam::111122223333:role/tëam", "names no role"),
        ] {
            let error = RoleArn::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn patterns_name_roles_as_iam_policies_do() {
        let role = RoleArn::parse("arn:aws:iam::111122223333:role/teams/a/bedrock").unwrap();
        for (pattern, expected) in [
            ("arn:aws:iam::111122223333:role/teams/a/bedrock", true),
            ("arn:aws:iam::111122223333:role/*", true),
            ("arn:aws:iam::*:role/teams/*", true),
            ("arn:aws:iam::111122223333:role/*a*rock", true),
            ("arn:aws:iam::111122223333:role/teams/a", false),
            ("arn:aws:iam::111122223333:role/teams/b/*", false),
            ("arn:aws:iam::444455556666:role/*", false),
            ("arn:aws-cn:iam::111122223333:role/*", false),
            ("arn:aws:iam::111122223333:role/*bedrock*bedrock", false),
        ] {
            assert_eq!(
                RoleArnPattern::parse(pattern).unwrap().matches(&role),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_is_written_out_is_not_covered() {
        let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
        let patterns = [
            role("hub"),
            "nonsense".to_owned(),
            role("team-*"),
            role("*"),
        ];
        for (name, expected) in [("hub", Some(3)), ("team-a", Some(2)), ("team-*", None)] {
            assert_eq!(covered_by(&patterns, &role(name)), expected, "{name}");
        }
        assert_eq!(covered_by(&patterns[..3], &role("hub")), None);
    }

    #[test]
    fn a_pattern_must_name_partition_and_account() {
        for pattern in [
            "*",
            "arn:aws:iam::*",
            "arn:*:iam::111122223333:role/a",
            "arn:aws:iam::1*:role/a",
        ] {
            assert!(RoleArnPattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_without_wildcard_names_itself_alone(a in "[a-zA-Z0-9+=,.@_-]{1,20}", b in "[a-zA-Z0-9+=,.@_-]{1,20}") {
            prop_assert_eq!(matches_wildcard(&a, &b), a == b);
        }

        #[test]
        fn a_wildcard_keeps_both_ends(head in "[a-c]{0,4}", tail in "[a-c]{0,4}", text in "[a-c]{0,10}") {
            let expected = text.len() >= head.len() + tail.len()
                && text.starts_with(&head) && text.ends_with(&tail);
            prop_assert_eq!(matches_wildcard(&format!("{head}*{tail}"), &text), expected);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,60}") {
            let _ = RoleArn::parse(&text);
            let _ = RoleArnPattern::parse(&text);
        }
    }
}
