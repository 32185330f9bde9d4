//! The guardrail that a grant's invocations must go through.

use crate::arn::Owner;

/// Why a text names no guardrail that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardrailError {
    /// Not the ARN of one.
    #[error(
        "{0:?} is no guardrail: write its ARN, such as arn:aws:bedrock:us-east-1:111122223333:guardrail/abc123def456, and perhaps a colon and its version behind it"
    )]
    Arn(String),
    /// Of another region than the grant's.
    #[error(
        "{arn:?} is not in {region}, which spec.region names: write a guardrail of that region"
    )]
    Region {
        /// The guardrail.
        arn: String,
        /// The grant's region.
        region: String,
    },
    /// Of another partition than the session.
    #[error(
        "{arn:?} is not in partition {partition}, to which the session belongs: write a guardrail of that partition"
    )]
    Partition {
        /// The guardrail.
        arn: String,
        /// The session's.
        partition: String,
    },
}

/// A guardrail, with the version that is asked for, if one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guardrail<'a> {
    /// Without the version.
    pub(super) arn: &'a str,
    version: Option<&'a str>,
}

impl<'a> Guardrail<'a> {
    /// Reads `arn` or `arn:version`.
    pub(super) fn parse(
        text: &'a str,
        region: &str,
        owner: Option<Owner<'_>>,
    ) -> Result<Self, GuardrailError> {
        let wrong = || GuardrailError::Arn(text.to_owned());
        let own = Owner::of(text).ok_or_else(wrong)?;
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let resource = parts.get(5).copied().unwrap_or_default();
        let named = resource.strip_prefix("guardrail/").ok_or_else(wrong)?;
        let (id, version) = named
            .split_once(':')
            .map_or((named, None), |(id, version)| (id, Some(version)));
        let is_version = |text: &str| {
            text == "DRAFT"
                || ((1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
        };
        let valid = parts.get(2) == Some(&"bedrock")
            && (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
            && version.is_none_or(is_version);
        if !valid {
            return Err(wrong());
        }
        if parts.get(3) != Some(&region) {
            return Err(GuardrailError::Region {
                arn: text.to_owned(),
                region: region.to_owned(),
            });
        }
        if let Some(owner) = owner.filter(|owner| owner.partition != own.partition) {
            return Err(GuardrailError::Partition {
                arn: text.to_owned(),
                partition: owner.partition.to_owned(),
            });
        }
        let arn = version.map_or(text, |version| &text[..text.len() - version.len() - 1]);
        Ok(Self { arn, version })
    }

    /// What `bedrock:GuardrailIdentifier` may be. A draft has its ARN alone.
    pub(super) fn identifiers(self) -> Vec<String> {
        let arn = self.arn;
        match self.version {
            None => vec![arn.to_owned(), format!("{arn}:*")],
            Some("DRAFT") => vec![arn.to_owned(), format!("{arn}:DRAFT")],
            Some(version) => vec![format!("{arn}:{version}")],
        }
    }
}
