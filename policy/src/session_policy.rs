//! Session policies: what a session may do at most, whatever its role may.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session>

use crate::arn::Owner;

/// AWS takes so many characters of inline policy and managed policies' ARNs together.
pub const LIMIT: usize = 2_048;
/// And so many managed policies.
pub const ARNS_LIMIT: usize = 10;

/// The policies of a session, as AWS is told them. None confine nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPolicy {
    /// An inline policy: minified JSON.
    pub document: Option<String>,
    /// ARNs of managed policies; beside an inline one they widen it.
    pub arns: Vec<String>,
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not JSON.
    #[error("it is no JSON: {0}")]
    Json(String),
    /// JSON, but no policy.
    #[error(
        "it is no IAM policy: write an object with Version and Statement, as in a role's own policies"
    )]
    Shape,
    /// A character that AWS does not take.
    #[error("it holds {0:?}, and AWS takes no character beyond \u{ff} in a session policy")]
    Character(char),
    /// Longer than AWS takes.
    #[error(
        "it has {length} characters without the spaces between them, and spec.policyArns {arns}: AWS takes {LIMIT} together; shorten it, or put it into a managed policy and name that in spec.policyArns"
    )]
    TooLong {
        /// Of the inline policy.
        length: usize,
        /// Of the ARNs.
        arns: usize,
    },
}

/// Why a managed policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagedError {
    /// Not the ARN of one.
    #[error(
        "{0:?} is no ARN of a managed policy: write one such as arn:aws:iam::111122223333:policy/name or arn:aws:iam::aws:policy/name"
    )]
    Arn(String),
    /// Of another account or partition than the session.
    #[error(
        "{arn:?} is neither AWS's own nor of account {account} in partition {partition}, to which the session belongs: write one that is"
    )]
    Owner {
        /// The policy.
        arn: String,
        /// The session's.
        partition: String,
        /// The session's.
        account: String,
    },
}

impl SessionPolicy {
    /// Whether it confines nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.document.is_none() && self.arns.is_empty()
    }

    /// Characters of the inline policy.
    #[must_use]
    pub fn document_length(&self) -> usize {
        let text = self.document.as_deref().unwrap_or_default();
        text.chars().count()
    }

    /// Characters of the ARNs.
    #[must_use]
    pub fn arns_length(&self) -> usize {
        self.arns.iter().map(|arn| arn.chars().count()).sum()
    }
}

/// An inline policy as AWS is sent it, beside those managed policies.
///
/// The text stays the author's, less the space between its parts: AWS reads what was written.
pub fn inline(text: &str, arns: &[String]) -> Result<SessionPolicy, PolicyError> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| PolicyError::Json(error.to_string()))?;
    let statement = value.get("Statement");
    if !statement.is_some_and(|own| own.is_object() || own.is_array()) {
        return Err(PolicyError::Shape);
    }
    if let Some(wrong) = text.chars().find(|c| *c > '\u{ff}') {
        return Err(PolicyError::Character(wrong));
    }
    let policy = SessionPolicy {
        document: Some(minify(text)),
        arns: arns.to_vec(),
    };
    let (length, arns) = (policy.document_length(), policy.arns_length());
    if length + arns > LIMIT {
        return Err(PolicyError::TooLong { length, arns });
    }
    Ok(policy)
}

/// Leaves out what is space between the parts of a JSON text.
fn minify(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let kept = text.chars().filter(|c| {
        let keep = in_string || !matches!(c, ' ' | '\t' | '\n' | '\r');
        if escaped {
            escaped = false;
        } else if in_string && *c == '\\' {
            escaped = true;
        } else if *c == '"' {
            in_string = !in_string;
        }
        keep
    });
    kept.collect()
}

/// Checks the ARN of a managed policy. Where nobody knows whose the session is, it may be anybody's.
pub fn check_managed(arn: &str, owner: Option<Owner<'_>>) -> Result<(), ManagedError> {
    let wrong = || ManagedError::Arn(arn.to_owned());
    // AWS's own have `aws` in the account's place.
    let by_aws = arn.replacen("::aws:", "::000000000000:", 1);
    let is_by_aws = by_aws != arn;
    let own = Owner::of(&by_aws).ok_or_else(wrong)?;
    let mut parts = by_aws.splitn(6, ':').skip(2);
    let mut next = || parts.next().unwrap_or_default();
    let (service, region, _, resource) = (next(), next(), next(), next());
    let name = resource.strip_prefix("policy/").unwrap_or_default();
    let valid = service == "iam"
        && region.is_empty()
        && (1..=640).contains(&name.len())
        && !name.ends_with('/')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b));
    if !valid {
        return Err(wrong());
    }
    let Some(owner) = owner else {
        return Ok(());
    };
    let same = own.partition == owner.partition && (is_by_aws || own.account == owner.account);
    if same {
        Ok(())
    } else {
        Err(ManagedError::Owner {
            arn: arn.to_owned(),
            partition: owner.partition.to_owned(),
            account: owner.account.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: &str = r#"{
      "Version": "2012-10-17",
      "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "a \" b\\", "Sid": "x  y"}]
    }"#;

    #[test]
    fn the_space_between_the_parts_goes_and_no_other() {
        let policy = inline(POLICY, &[]).unwrap();
        assert_eq!(
            policy.document.as_deref(),
            Some(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"a \" b\\","Sid":"x  y"}]}"#
            )
        );
        assert!(!policy.is_empty() && SessionPolicy::default().is_empty());
    }

    #[test]
    fn what_is_no_policy_is_said_so() {
        for (text, start) in [
            ("", "it is no JSON: EOF"),
            (
                "{\"Statement\": [}",
                "it is no JSON: expected value at line 1",
            ),
            ("[]", "it is no IAM policy"),
            ("{}", "it is no IAM policy"),
            ("{\"Statement\": \"x\"}", "it is no IAM policy"),
            ("{\"Statement\": [], \"Id\": \"日\"}", "it holds '日'"),
        ] {
            let message = inline(text, &[]).unwrap_err().to_string();
            assert!(message.starts_with(start), "{text}: {message}");
        }
        assert!(inline("{\"Statement\": [], \"Id\": \"é\"}", &[]).is_ok());
        let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(matches!(inline(&nested, &[]), Err(PolicyError::Json(_))));
    }

    #[test]
    fn characters_count_without_spaces_and_with_the_arns() {
        let of = |length: usize| {
            let frame = r#"{"Statement":[],"Id":""}"#.len();
            let id = "é".repeat(length - frame);
            format!("{{ \"Statement\": [ ],\n\"Id\":\t\"{id}\" }}")
        };
        let arns = vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()];
        assert!(inline(&of(LIMIT), &[]).is_ok());
        let error = inline(&of(LIMIT + 1), &[]).unwrap_err();
        let expected = PolicyError::TooLong {
            length: LIMIT + 1,
            arns: 0,
        };
        assert_eq!(error, expected);
        let room = LIMIT - arns[0].len();
        assert!(inline(&of(room), &arns).is_ok());
        let text = inline(&of(room + 1), &arns).unwrap_err().to_string();
        assert!(
            text.starts_with("it has 2011 characters") && text.contains("spec.policyArns 38: "),
            "{text}"
        );
    }

    #[test]
    fn managed_policies_are_of_aws_or_of_the_account() {
        let owner = Owner {
            partition: "aws",
            account: "111122223333",
        };
        for good in [
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::aws:policy/service-role/AWSLambdaRole",
            "arn:aws:iam::111122223333:policy/teams/a",
        ] {
            assert_eq!(check_managed(good, Some(owner)), Ok(()), "{good}");
        }
        for other in [
            "arn:aws-cn:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::444455556666:policy/a",
            "arn:aws-cn:iam::111122223333:policy/a",
        ] {
            let found = check_managed(other, Some(owner));
            assert!(matches!(found, Err(ManagedError::Owner { .. })), "{other}");
            assert_eq!(check_managed(other, None), Ok(()), "{other}");
        }
        for wrong in [
            "",
            "ReadOnlyAccess",
            "arn:aws:iam::111122223333:role/a",
            "arn:aws:iam::111122223333:policy/",
            "arn:aws:iam::111122223333:policy/a*",
            "arn:aws:iam:us-east-1:111122223333:policy/a",
            "arn:aws:s3::111122223333:policy/a",
            "arn:aws:iam::1:policy/a",
        ] {
            let found = check_managed(wrong, None);
            assert!(matches!(found, Err(ManagedError::Arn(_))), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_minified_text_means_the_same(words in prop::collection::vec(r#"[ a-z\\"{}:,\t\n]{0,8}"#, 0..6), pretty in any::<bool>()) {
            let value = serde_json::json!({"Statement": words, " k ": {"a b": [1, null, "\\\" "]}});
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let short = minify(&text);
            prop_assert_eq!(&short, &serde_json::to_string(&value).unwrap());
        }

        #[test]
        fn reading_never_panics(text in ".{0,80}") {
            let _ = inline(&text, &[]);
            let _ = check_managed(&text, None);
        }
    }
}
