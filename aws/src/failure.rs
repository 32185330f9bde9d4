//! Failed STS calls: what AWS said, what it means, and what to do next.

use crate::{
    classify::{Cause, Class, Dispatch, classify},
    mend::{self, Asked, By},
};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use http::uri::InvalidUri;
use std::error::Error;

/// The longest text of AWS that a message carries, in characters.
const LIMIT: usize = 1024;

/// Why a call of STS brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// `sts:AssumeRole`.
    #[error("sts:AssumeRole of {role_arn} failed: {failure}")]
    AssumeRole {
        /// The role.
        role_arn: String,
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// `sts:GetFederationToken`.
    #[error("sts:GetFederationToken failed: {failure}")]
    GetFederationToken {
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// `sts:GetSessionToken`.
    #[error("sts:GetSessionToken failed: {failure}")]
    GetSessionToken {
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// `sts:GetCallerIdentity`.
    #[error("sts:GetCallerIdentity failed: {failure}")]
    GetCallerIdentity {
        /// What went wrong.
        failure: Box<Failure>,
    },
}

impl StsError {
    /// What the failure means for the next call.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::AssumeRole { failure, .. }
            | Self::GetFederationToken { failure }
            | Self::GetSessionToken { failure }
            | Self::GetCallerIdentity { failure } => failure.class,
        }
    }
}

/// What went wrong in a call, and what to do next. Holds AWS's own text, and nothing of the request's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct Failure {
    /// What it means for the next call.
    pub class: Class,
    /// AWS's error code, where there is one.
    pub code: Option<String>,
    /// What happened.
    pub what: String,
    /// What its reader does next.
    pub mend: String,
}

impl Failure {
    /// STS answered, and left out what it promises.
    pub(crate) fn incomplete(field: &str, asked: &Asked<'_>) -> Self {
        let what = format!("the answer of {} lacks {field}", asked.place);
        Self::unanswered(Dispatch::Unreadable, what, asked)
    }

    /// What an SDK error means.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>, asked: &Asked<'_>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(source) = find::<CredentialsError>(error) {
            return Self::source(source, asked);
        }
        match error {
            SdkError::ServiceError(service) => {
                let (error, status) = (service.err(), service.raw().status().as_u16());
                Self::answered(status, error.code(), error.message(), asked)
            }
            SdkError::ResponseError(response) => {
                Self::answered(response.raw().status().as_u16(), None, None, asked)
            }
            SdkError::TimeoutError(_) => Self::timeout(asked),
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Self::timeout(asked),
            SdkError::DispatchFailure(_) if find::<InvalidUri>(error).is_none() => {
                let what = format!("cannot reach {}: {}", asked.place, innermost(error));
                Self::unanswered(Dispatch::Io, what, asked)
            }
            _ => {
                let what = format!(
                    "cannot make a request for {}: {}",
                    asked.place,
                    innermost(error)
                );
                Self::unanswered(Dispatch::Request, what, asked)
            }
        }
    }

    pub(crate) fn timeout(asked: &Asked<'_>) -> Self {
        let what = format!("{} did not answer in time", asked.place);
        Self::unanswered(Dispatch::Timeout, what, asked)
    }

    pub(crate) fn unanswered(dispatch: Dispatch, what: String, asked: &Asked<'_>) -> Self {
        Self {
            class: classify(Cause::Dispatch(dispatch)),
            code: None,
            what,
            mend: mend::unanswered(dispatch, asked),
        }
    }

    pub(crate) fn answered(
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
        asked: &Asked<'_>,
    ) -> Self {
        let class = match (asked.by, code) {
            // Of IAM it is no rate, but what a role takes of policies.
            (By::Revoker, Some("LimitExceeded")) => Class::TooLarge,
            _ => classify(Cause::Answer { status, code }),
        };
        let Some(code) = code else {
            return Self {
                class,
                code: None,
                what: format!(
                    "{} answered HTTP {status} in a form that is not {}'s",
                    asked.place,
                    asked.by.service().0
                ),
                mend: mend::foreign(asked.by),
            };
        };
        let (code, message) = (shown(code), shown(message.unwrap_or("no message")));
        Self {
            class,
            mend: mend::answered(class, &code, &message, asked),
            what: format!("{code}: {message}"),
            code: Some(code),
        }
    }

    /// The source of credentials brought none, so that STS was not asked. What denies or refuses the
    /// source is, for a grant, the source's fault.
    fn source(error: &CredentialsError, asked: &Asked<'_>) -> Self {
        let (class, code, detail) = match find::<AssumeRoleWithWebIdentityError>(error) {
            Some(exchange) => {
                let code = exchange.code().map(shown);
                // The status is not to be had here; without a code, nobody of AWS answered.
                let class = code.as_deref().map_or(Class::Transient, |code| {
                    classify(Cause::Answer {
                        status: 400,
                        code: Some(code),
                    })
                });
                (class, code, exchange.message().map(shown))
            }
            None => (of_source(error), None, None),
        };
        let class = match class {
            Class::Denied | Class::TooLarge | Class::InvalidInput => Class::SourceRejected,
            other => other,
        };
        let detail = detail.unwrap_or_else(|| innermost(error));
        let said = code
            .as_ref()
            .map_or(String::new(), |code| format!("{code}: "));
        Self {
            class,
            what: format!("the operator's own credentials are not to be had: {said}{detail}"),
            mend: mend::source(class, code.as_deref(), asked),
            code,
        }
    }
}

fn of_source(error: &CredentialsError) -> Class {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            Class::SourceRejected
        }
        _ => Class::Transient,
    }
}

/// The first error of that type among an error and its sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    sources(error).find_map(|error| error.downcast_ref())
}

/// The error at the end of the chain, which names the fault itself.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    sources(error)
        .last()
        .map_or(String::new(), |error| shown(&error.to_string()))
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        (*error).source()
    })
}

/// AWS's text as one line, bounded. What follows the first line is cut: for a wrong signature it is the
/// canonical request, with the caller's session token in it.
fn shown(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let line = ["The Canonical String", "The String-to-Sign"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min()
        .map_or(line, |end| &line[..end]);
    // No full stop at its end: what to do next follows.
    let line = line.trim().trim_end_matches('.');
    let one_line = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_request_never_comes_out() {
        let text = "The request signature we calculated does not match.\n\nThe Canonical String for \
                    this request should have been\n'POST\n/\n\nx-amz-security-token:hunter2";
        assert_eq!(
            shown(text),
            "The request signature we calculated does not match"
        );
        assert_eq!(shown(&text.replace('\n', " ")), shown(text));
        assert_eq!(shown("Denied.\nx-amz-security-token:hunter2"), "Denied");
    }

    #[test]
    fn texts_are_one_bounded_line() {
        assert_eq!(shown("a\tb\u{7}c"), "a b c");
        assert_eq!(shown(&"x".repeat(5000)).len(), LIMIT);
    }
}
