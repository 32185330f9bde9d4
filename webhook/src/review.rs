//! The API server's question and the webhook's answer.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response>
//!
//! Not kube's types: those copy the whole object, and write the patch as a list of numbers.

use crate::pod::view::Text;
use base64::{Engine, engine::general_purpose::STANDARD};
use json_patch::Patch;
use serde::{Deserialize, Serialize, de::IgnoredAny};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A question about an object of type `T`; `O` reads the object as it was.
#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "camelCase",
    bound(deserialize = "T: Deserialize<'de>, O: Deserialize<'de>")
)]
pub struct Review<'a, T, O = IgnoredAny> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    request: Option<Request<'a, T, O>>,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "camelCase",
    bound(deserialize = "T: Deserialize<'de>, O: Deserialize<'de>")
)]
pub struct Request<'a, T, O = IgnoredAny> {
    /// Names the question in its answer.
    #[serde(borrow)]
    pub uid: Text<'a>,
    /// The object's namespace; the object itself may not say it yet.
    #[serde(borrow, default)]
    pub namespace: Option<Text<'a>>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    #[serde(borrow)]
    pub operation: Text<'a>,
    /// `status` and its like; none where the object itself is asked about.
    #[serde(borrow, default)]
    pub sub_resource: Option<Text<'a>>,
    /// The object as it is to be.
    pub object: Option<T>,
    /// The object as it was.
    #[serde(default = "none")]
    pub old_object: Option<O>,
}

const fn none<O>() -> Option<O> {
    None
}

/// A question that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Not the JSON of a review.
    #[error("the body is no AdmissionReview: {0}; send what the API server sends")]
    Decode(#[from] serde_json::Error),
    /// Another kind of object.
    #[error(
        "the body is of kind {kind:?} of apiVersion {api_version:?}: send an {KIND} of {API_VERSION}"
    )]
    Kind {
        /// Its apiVersion.
        api_version: String,
        /// Its kind.
        kind: String,
    },
    /// An answer, perhaps.
    #[error("the AdmissionReview has no request: send one with a request")]
    NoRequest,
}

impl<'a, T: Deserialize<'a>, O: Deserialize<'a>> Review<'a, T, O> {
    /// Reads a question.
    pub fn read(body: &'a [u8]) -> Result<Request<'a, T, O>, ReviewError> {
        let review: Self = serde_json::from_slice(body)?;
        if &*review.api_version != API_VERSION || &*review.kind != KIND {
            return Err(ReviewError::Kind {
                api_version: review.api_version.chars().take(80).collect(),
                kind: review.kind.chars().take(80).collect(),
            });
        }
        review.request.ok_or(ReviewError::NoRequest)
    }
}

impl<T, O> Request<'_, T, O> {
    /// Whether the object itself is asked about, not a subresource of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sub_resource.as_deref().is_none_or(str::is_empty)
    }
}

/// What the webhook decides.
#[derive(Debug)]
pub enum Verdict {
    /// Admitted, changed where the patch says so.
    Allowed {
        /// What changes.
        patch: Patch,
        /// For the object's author.
        warnings: Vec<String>,
    },
    /// Not admitted.
    Denied {
        /// The HTTP status that the author gets.
        code: u16,
        /// The metrics' `reason`.
        category: &'static str,
        /// For the object's author.
        message: String,
    },
}

impl Verdict {
    /// Admits the object as it is.
    #[must_use]
    pub const fn allowed(warnings: Vec<String>) -> Self {
        Self::Allowed {
            patch: Patch(Vec::new()),
            warnings,
        }
    }

    /// Denies the object.
    #[must_use]
    pub fn denied(category: &'static str, reason: &impl ToString) -> Self {
        Self::Denied {
            code: 403,
            category,
            message: format!("alter: {}", reason.to_string()),
        }
    }

    /// Denies the object for now: what must be known cannot be.
    #[must_use]
    pub fn unavailable(category: &'static str, reason: &impl ToString) -> Self {
        Self::Denied {
            code: 503,
            category,
            message: format!("alter: {}", reason.to_string()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Failure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

/// Writes the answer to the question of that uid.
pub fn answer(uid: &str, verdict: &Verdict) -> Result<Vec<u8>, serde_json::Error> {
    let mut response = Response {
        uid,
        ..Response::default()
    };
    match verdict {
        Verdict::Allowed { patch, warnings } => {
            response.allowed = true;
            response.warnings = warnings;
            if !patch.0.is_empty() {
                response.patch = Some(STANDARD.encode(serde_json::to_vec(patch)?));
                response.patch_type = Some("JSONPatch");
            }
        }
        Verdict::Denied { code, message, .. } => {
            response.status = Some(Failure {
                status: "Failure",
                code: *code,
                reason: if *code == 503 {
                    "ServiceUnavailable"
                } else {
                    "Forbidden"
                },
                message,
            });
        }
    }
    serde_json::to_vec(&Answer {
        api_version: API_VERSION,
        kind: KIND,
        response,
    })
}
