//! The container credentials endpoint on loopback.
//!
//! AWS SDKs and Tools Reference Guide, "Container credential provider". A caller must know the token and the
//! address, and nothing may have forwarded it.

use std::sync::Arc;

use alter_protocol::pod::ENDPOINT_PATH;
use alter_protocol::session::SecretText;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::answer::{Form, NoSession};
use crate::metrics::{Metrics, Outcome};
use crate::origin::Origin;
use crate::store::Board;

/// Go decodes an error only if it is exactly this.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the endpoint knows.
pub(crate) struct Endpoint {
    origin: Origin,
    token: SecretText,
    board: Board,
    metrics: Arc<Metrics>,
}

/// A request that gets no session.
struct Denial {
    status: StatusCode,
    code: &'static str,
    message: String,
    outcome: Outcome,
}

impl Endpoint {
    /// `origin` is where it listens.
    pub(crate) fn new(
        origin: Origin,
        token: SecretText,
        board: Board,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            origin,
            token,
            board,
            metrics,
        }
    }

    /// The answer to a request. SDKs try again on 5xx and 429 and give up on the rest, so 503 says that
    /// a session may come by itself, and everything else that someone must change something.
    pub(crate) fn respond<B>(&self, request: &Request<B>, now: Timestamp) -> Response<Full<Bytes>> {
        match self.session(request.method(), request.uri(), request.headers(), now) {
            Ok(document) => {
                self.metrics.endpoint.count(Outcome::Served);
                json(StatusCode::OK, document)
            }
            Err(denial) => {
                self.metrics.endpoint.count(denial.outcome);
                denial.into_response()
            }
        }
    }

    fn session(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Bytes, Denial> {
        self.origin.check(uri, headers).map_err(|foreign| Denial {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message: foreign.0,
            outcome: Outcome::Unauthorized,
        })?;
        if method != Method::GET {
            return Err(Denial {
                status: StatusCode::METHOD_NOT_ALLOWED,
                code: "MethodNotAllowed",
                message: format!("{method} is not GET"),
                outcome: Outcome::Invalid,
            });
        }
        // Before anything that would tell which grants there are.
        self.check_token(headers)?;
        let Some(grant) = uri.path().strip_prefix(ENDPOINT_PATH) else {
            return Err(Denial {
                status: StatusCode::NOT_FOUND,
                code: "NotFound",
                message: format!("credentials are at {ENDPOINT_PATH} and a grant's name"),
                outcome: Outcome::Invalid,
            });
        };
        let answers = self.board.borrow();
        let found = answers.find(grant).ok_or_else(|| Denial {
            status: StatusCode::NOT_FOUND,
            code: "UnknownGrant",
            message: answers.unknown(grant),
            outcome: Outcome::Unknown,
        })?;
        found.document(Form::Container, now).map_err(|no| match no {
            NoSession::Waiting(message) => Denial {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "NoSession",
                message,
                outcome: Outcome::Waiting,
            },
            NoSession::Refused(message) => Denial {
                status: StatusCode::FORBIDDEN,
                code: "AccessDenied",
                message,
                outcome: Outcome::Refused,
            },
        })
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let shown = headers
            .get(AUTHORIZATION)
            .map_or(&b""[..], |v| v.as_bytes());
        if bool::from(shown.ct_eq(self.token.as_bytes())) {
            return Ok(());
        }
        Err(Denial {
            status: StatusCode::UNAUTHORIZED,
            code: "InvalidToken",
            message: "the Authorization header must be the content of the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names".to_owned(),
            outcome: Outcome::Unauthorized,
        })
    }
}

impl Denial {
    /// ECS writes the keys in lower case, JS reads them in upper.
    fn into_response(self) -> Response<Full<Bytes>> {
        let body = serde_json::json!({
            "code": self.code,
            "Code": self.code,
            "message": self.message,
            "Message": self.message,
        });
        let mut response = json(self.status, body.to_string().into());
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
