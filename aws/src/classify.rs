//! What a failed STS call means for the next one. Pure.
//!
//! The codes are those of <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>, of
//! each operation's own page, and of the SDKs' standard retry mode.

/// What a failure means for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Too many calls; fewer of them will do.
    Throttled,
    /// AWS fails or cannot be reached; the same call may do later.
    Transient,
    /// AWS knows the caller and denies it the call.
    Denied,
    /// AWS refuses the source credentials: expired, deleted, wrongly signed, or none were found.
    SourceRejected,
    /// AWS refuses session policy and tags, which packed together are too large; the same call never does.
    TooLarge,
    /// AWS refuses another parameter; the same call never does.
    InvalidInput,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// There was an answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// AWS's error code; absent where the answer is not AWS's.
        code: Option<&'a str>,
    },
    /// There was none.
    Dispatch(Dispatch),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// It took too long.
    Timeout,
    /// No connection, or it broke.
    Io,
    /// An answer that is not to be read.
    Unreadable,
    /// The request could not be made, as from a URL that is none.
    Request,
}

/// Decides what a failure means.
#[must_use]
pub fn classify(cause: Cause<'_>) -> Class {
    match cause {
        Cause::Dispatch(Dispatch::Request) => Class::InvalidInput,
        Cause::Dispatch(Dispatch::Timeout | Dispatch::Io | Dispatch::Unreadable) => {
            Class::Transient
        }
        Cause::Answer { status, code } => code
            .and_then(by_code)
            .unwrap_or_else(|| by_status(status, code.is_some())),
    }
}

fn by_code(code: &str) -> Option<Class> {
    // Some codes are sent with this ending and some without; only these two differ in meaning, and both
    // say that credentials are refused.
    let class = match code.strip_suffix("Exception").unwrap_or(code) {
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "TooManyRequests"
        | "ProvisionedThroughputExceeded"
        | "TransactionInProgress"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceeded"
        | "SlowDown"
        | "EC2Throttled" => Class::Throttled,
        "RequestTimeout"
        | "PriorRequestNotComplete"
        | "InternalFailure"
        | "InternalError"
        | "InternalServer"
        | "ServiceUnavailable"
        | "IDPCommunicationError"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable" => Class::Transient,
        "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" => Class::Denied,
        "ExpiredToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "IncompleteSignature"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "AuthFailure"
        | "InvalidIdentityToken"
        | "IDPRejectedClaim" => Class::SourceRejected,
        "Validation" | "ValidationError" | "MalformedPolicyDocument" | "RegionDisabled" => {
            Class::InvalidInput
        }
        "PackedPolicyTooLarge" => Class::TooLarge,
        _ => return None,
    };
    Some(class)
}

/// For codes that are not known, and answers without one, as a gateway on the way gives.
fn by_status(status: u16, is_aws: bool) -> Class {
    match status {
        429 => Class::Throttled,
        401 if is_aws => Class::SourceRejected,
        403 if is_aws => Class::Denied,
        400..=499 if is_aws && status != 408 => Class::InvalidInput,
        _ => Class::Transient,
    }
}

/// Whether the code or the message says that the clocks of caller and AWS differ.
#[must_use]
pub fn is_clock(code: &str, message: &str) -> bool {
    matches!(code, "RequestExpired" | "RequestTimeTooSkewed")
        || message.contains("Signature expired")
        || message.contains("Signature not yet current")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::{Denied, InvalidInput, SourceRejected, Throttled, TooLarge, Transient};

    #[test]
    fn every_code_of_sts_and_those_of_iam_that_pass() {
        for (status, code, class) in [
            (403, "AccessDenied", Denied),
            (403, "AccessDeniedException", Denied),
            (400, "ValidationError", InvalidInput),
            (400, "ValidationException", InvalidInput),
            (400, "MalformedPolicyDocument", InvalidInput),
            (400, "MalformedPolicyDocumentException", InvalidInput),
            (400, "PackedPolicyTooLarge", TooLarge),
            (400, "PackedPolicyTooLargeException", TooLarge),
            (403, "RegionDisabledException", InvalidInput),
            (403, "ExpiredToken", SourceRejected),
            (400, "ExpiredTokenException", SourceRejected),
            (403, "InvalidClientTokenId", SourceRejected),
            (403, "UnrecognizedClientException", SourceRejected),
            (403, "SignatureDoesNotMatch", SourceRejected),
            (403, "InvalidSignatureException", SourceRejected),
            (403, "MissingAuthenticationToken", SourceRejected),
            (403, "OptInRequired", SourceRejected),
            (400, "IncompleteSignature", SourceRejected),
            (400, "RequestExpired", SourceRejected),
            (400, "InvalidIdentityToken", SourceRejected),
            (403, "IDPRejectedClaim", SourceRejected),
            (400, "IDPCommunicationError", Transient),
            (400, "Throttling", Throttled),
            (429, "ThrottlingException", Throttled),
            (400, "ThrottledException", Throttled),
            (400, "RequestThrottledException", Throttled),
            (400, "TooManyRequestsException", Throttled),
            (400, "ProvisionedThroughputExceededException", Throttled),
            (400, "TransactionInProgressException", Throttled),
            (400, "RequestLimitExceeded", Throttled),
            (400, "BandwidthLimitExceeded", Throttled),
            (400, "LimitExceededException", Throttled),
            (400, "RequestThrottled", Throttled),
            (503, "SlowDown", Throttled),
            (400, "EC2ThrottledException", Throttled),
            (400, "RequestTimeout", Transient),
            (400, "RequestTimeoutException", Transient),
            (400, "PriorRequestNotComplete", Transient),
            (500, "InternalFailure", Transient),
            (503, "ServiceUnavailable", Transient),
            (409, "ConcurrentModification", Transient),
            (409, "EntityTemporarilyUnmodifiable", Transient),
        ] {
            let code = Some(code);
            assert_eq!(
                classify(Cause::Answer { status, code }),
                class,
                "{status} {code:?}"
            );
        }
    }

    #[test]
    fn unknown_codes_go_by_status() {
        for (status, class) in [
            (400, InvalidInput),
            (404, InvalidInput),
            (401, SourceRejected),
            (403, Denied),
            (408, Transient),
            (429, Throttled),
            (500, Transient),
            (502, Transient),
            (503, Transient),
            (504, Transient),
        ] {
            let code = Some("SomethingNew");
            assert_eq!(classify(Cause::Answer { status, code }), class, "{status}");
        }
    }

    #[test]
    fn what_is_not_of_aws_may_mend_itself() {
        for (status, class) in [
            (200, Transient),
            (302, Transient),
            (403, Transient),
            (404, Transient),
            (429, Throttled),
            (502, Transient),
        ] {
            let code = None;
            assert_eq!(classify(Cause::Answer { status, code }), class, "{status}");
        }
    }

    #[test]
    fn no_answer() {
        for (dispatch, class) in [
            (Dispatch::Timeout, Transient),
            (Dispatch::Io, Transient),
            (Dispatch::Unreadable, Transient),
            (Dispatch::Request, InvalidInput),
        ] {
            assert_eq!(classify(Cause::Dispatch(dispatch)), class, "{dispatch:?}");
        }
    }

    #[test]
    fn clocks_that_differ_are_told_from_wrong_keys() {
        assert!(is_clock("RequestExpired", "Request has expired."));
        assert!(is_clock(
            "SignatureDoesNotMatch",
            "Signature expired: 20261122T050000Z is now earlier than 20261122T051000Z"
        ));
        assert!(is_clock(
            "SignatureDoesNotMatch",
            "Signature not yet current: 20261122T060000Z is still later than 20261122T050500Z"
        ));
        assert!(!is_clock(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided."
        ));
    }
}
