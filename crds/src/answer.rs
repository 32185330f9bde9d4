//! What the API server answered, in words for conditions, events and logs.

use kube::{Error, core::Status, runtime::watcher};
use std::{error::Error as _, fmt};

/// The cause that the API server gives with a refusal.
///
/// <https://pkg.go.dev/k8s.io/api/core/v1#pkg-constants>
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

/// An error of kube's client as people read it: the API server's message with code and reason, where kube
/// prints the whole answer as Rust has it; else kube's words with those of what caused it.
#[derive(Clone, Copy, Debug)]
pub struct InWords<'a>(pub &'a Error);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Api(status) => f.write_str(&of_status(status)),
            other => {
                let mut text = other.to_string();
                let mut cause = other.source();
                while let Some(error) = cause {
                    let words = error.to_string();
                    if !text.contains(&words) {
                        text = format!("{text}: {words}");
                    }
                    cause = error.source();
                }
                f.write_str(&text)
            }
        }
    }
}

/// The message of an answer, with its code and reason.
#[must_use]
pub fn of_status(status: &Status) -> String {
    let Status {
        code,
        message,
        reason,
        ..
    } = status;
    let kind = format!("{code} {reason}");
    let kind = kind.trim_end();
    if message.is_empty() {
        kind.to_owned()
    } else {
        format!("{message} ({kind})")
    }
}

/// Why a watch broke.
#[must_use]
pub fn of_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(source) => format!("cannot list: {}", InWords(source)),
        watcher::Error::WatchStartFailed(source) => format!("cannot watch: {}", InWords(source)),
        watcher::Error::WatchFailed(source) => InWords(source).to_string(),
        watcher::Error::WatchError(status) => of_status(status),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// Whether the API server makes nothing more in a namespace, since that is being deleted.
#[must_use]
pub fn is_terminating(error: &Error) -> bool {
    let Error::Api(status) = error else {
        return false;
    };
    let mut causes = status.details.iter().flat_map(|own| &own.causes);
    status.code == 403 && causes.any(|cause| cause.reason == NAMESPACE_TERMINATING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, reason: &str, message: &str) -> String {
        let status = Status {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Status::default()
        };
        InWords(&Error::Api(Box::new(status))).to_string()
    }

    #[test]
    fn an_answer_is_its_message_with_code_and_reason() {
        let text = said(
            403,
            "Forbidden",
            "secrets \"a\" is forbidden: exceeded quota",
        );
        assert_eq!(
            text,
            "secrets \"a\" is forbidden: exceeded quota (403 Forbidden)"
        );
        assert_eq!(said(500, "", ""), "500");
        assert_eq!(said(503, "", "shutting down"), "shutting down (503)");
    }

    #[test]
    fn a_namespace_that_is_being_deleted_is_told_from_other_refusals() {
        let refusal = |reason: &str| {
            let status = serde_json::json!({
                "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
                "message": "events \"x\" is forbidden: unable to create new content in namespace a \
                    because it is being terminated",
                "details": {"causes": [{"reason": reason, "field": "metadata.namespace"}]},
            });
            Error::Api(serde_json::from_value(status).unwrap())
        };
        assert!(is_terminating(&refusal("NamespaceTerminating")));
        assert!(!is_terminating(&refusal("FieldValueForbidden")));
        assert!(!is_terminating(&Error::TlsRequired));
    }

    #[test]
    fn a_watch_that_broke_says_so_in_the_same_words() {
        let gone = Status {
            code: 410,
            reason: "Expired".to_owned(),
            message: "too old resource version".to_owned(),
            ..Status::default()
        };
        let text = "too old resource version (410 Expired)";
        let error = watcher::Error::WatchError(Box::new(gone.clone()));
        assert_eq!(of_watch(&error), text);
        let error = watcher::Error::InitialListFailed(Error::Api(Box::new(gone)));
        assert_eq!(of_watch(&error), format!("cannot list: {text}"));
    }

    #[test]
    fn what_is_no_answer_names_its_cause_once() {
        let refused = std::io::Error::other("connection refused");
        let error = Error::Service(Box::new(std::io::Error::other(refused)));
        assert_eq!(
            InWords(&error).to_string(),
            "ServiceError: connection refused"
        );
    }
}
