//! Amazon Bedrock: from the models that a grant lists to the least session policy.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html>

mod compile;
mod guardrail;
mod model;

pub use compile::{check, compile};
pub use guardrail::GuardrailError;
pub use model::ModelError;

/// What a grant lets its session do.
#[derive(Clone, Copy, Debug)]
pub struct Bedrock<'a> {
    /// Foundation models, families of them, and inference profiles.
    pub models: &'a [String],
    /// The guardrail that every invocation must go through.
    pub guardrail: Option<&'a str>,
    /// The region whose Bedrock the session calls.
    pub region: &'a str,
}

/// Why there is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BedrockError {
    /// Nothing is listed.
    #[error("it lists no model: write one, or remove spec.bedrock")]
    Empty,
    /// An entry of the list.
    #[error("{source}")]
    Model {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it, and the mend.
        source: ModelError,
    },
    /// The guardrail.
    #[error(transparent)]
    Guardrail(#[from] GuardrailError),
    /// The policy is longer than AWS takes.
    #[error(
        "the session policy for these {listed} has {length} characters, and AWS takes {limit}: the first {fit} fit; write {} instead of its models one by one, or remove bedrock and name managed policies of the account in spec.policyArns",
        .family.as_deref().unwrap_or("a family such as anthropic.claude-3*"),
        limit = crate::session_policy::LIMIT
    )]
    TooLong {
        /// How many are listed.
        listed: usize,
        /// Of the policy for all of them.
        length: usize,
        /// How many of them, from the first on, have a policy that AWS takes.
        fit: usize,
        /// The family to which most of them belong.
        family: Option<String>,
    },
}

#[cfg(test)]
mod evaluator;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
