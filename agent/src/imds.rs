//! Instance metadata, version 2, on loopback: for tools that look for credentials nowhere else.
//!
//! Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata". There is one role, named
//! after the pod's first grant.

use std::sync::{Arc, Mutex, PoisonError};

use alter_protocol::session::{SecretText, rfc3339};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use crate::answer::{Answer, Form, NoSession};
use crate::metrics::{Metrics, Outcome};
use crate::origin::Origin;
use crate::state::State;
use crate::store::Board;
use crate::token;

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials";
const REGION_PATH: &str = "/latest/meta-data/placement/region";
const DOCUMENT_PATH: &str = "/latest/dynamic/instance-identity/document";

const TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// The longest life of a token, in seconds, as EC2 has it.
const LONGEST: i64 = 21_600;
/// So many tokens are known; a new one takes the place of the one that ends first, whose owner asks anew.
const TOKENS: usize = 256;

/// What the service knows.
pub(crate) struct Imds {
    origin: Origin,
    tokens: Mutex<Vec<(SecretText, Timestamp)>>,
    board: Board,
    metrics: Arc<Metrics>,
}

/// A request that gets nothing of what it asked for.
struct Denial {
    status: StatusCode,
    message: String,
    outcome: Outcome,
}

impl Denial {
    fn new(status: StatusCode, message: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            status,
            message: message.into(),
            outcome,
        }
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message, Outcome::Invalid)
    }
}

impl Imds {
    /// `origin` is where it listens.
    pub(crate) fn new(origin: Origin, board: Board, metrics: Arc<Metrics>) -> Self {
        Self {
            origin,
            tokens: Mutex::default(),
            board,
            metrics,
        }
    }

    /// The answer to a request. SDKs fall back to version 1 of the protocol on some of EC2's refusals; here it
    /// meets the same refusal again.
    pub(crate) fn respond<B>(&self, request: &Request<B>, now: Timestamp) -> Response<Full<Bytes>> {
        self.answer(request, now).unwrap_or_else(|denial| {
            self.metrics.imds.count(denial.outcome);
            let mut response = text(denial.status, denial.message.into());
            if denial.status == StatusCode::METHOD_NOT_ALLOWED {
                let allowed = if request.uri().path() == TOKEN_PATH {
                    "PUT"
                } else {
                    "GET"
                };
                let headers = response.headers_mut();
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        })
    }

    fn answer<B>(
        &self,
        request: &Request<B>,
        now: Timestamp,
    ) -> Result<Response<Full<Bytes>>, Denial> {
        let (headers, path) = (request.headers(), request.uri().path());
        self.origin
            .check(request.uri(), headers)
            .map_err(|foreign| {
                Denial::new(StatusCode::FORBIDDEN, foreign.0, Outcome::Unauthorized)
            })?;
        let expected = if path == TOKEN_PATH {
            Method::PUT
        } else {
            Method::GET
        };
        if request.method() != expected {
            return Err(Denial::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{} is not {expected}", request.method()),
                Outcome::Invalid,
            ));
        }
        if path == TOKEN_PATH {
            return self.give_token(headers, now);
        }
        self.check_token(headers, now)?;
        self.read(path, now)
    }

    fn give_token(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Response<Full<Bytes>>, Denial> {
        let asked = headers.get(TTL);
        let seconds = asked
            .and_then(|own| own.to_str().ok()?.parse::<i64>().ok())
            .filter(|own| (1..=LONGEST).contains(own))
            .ok_or_else(|| {
                let message = format!("{TTL} must be a number of seconds from 1 to {LONGEST}");
                Denial::new(StatusCode::BAD_REQUEST, message, Outcome::Invalid)
            })?;
        let token = token::random().map_err(|error| {
            let message = format!("no random bytes for a token ({error}): ask again");
            Denial::new(StatusCode::SERVICE_UNAVAILABLE, message, Outcome::Waiting)
        })?;
        let until = now.checked_add(SignedDuration::from_secs(seconds));
        let mut response = text(StatusCode::OK, Bytes::from_owner(token.clone()));
        // The Go and the Rust SDK take no token without it.
        response.headers_mut().insert(TTL, seconds.into());
        self.keep(token, until.unwrap_or(now), now);
        Ok(response)
    }

    fn keep(&self, token: SecretText, until: Timestamp, now: Timestamp) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(_, until)| now < *until);
        if tokens.len() >= TOKENS {
            let first = (0..tokens.len()).min_by_key(|at| tokens[*at].1);
            first.map(|at| tokens.swap_remove(at));
        }
        tokens.push((token, until));
    }

    fn check_token(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Denial> {
        let shown = headers.get(TOKEN).map_or(&b""[..], |own| own.as_bytes());
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let living = tokens.iter().filter(|(_, until)| now < *until);
        let known = living.fold(subtle::Choice::from(0), |known, (own, _)| {
            known | shown.ct_eq(own.as_bytes())
        });
        if bool::from(known) {
            return Ok(());
        }
        let message = format!("{TOKEN} must be a token from PUT {TOKEN_PATH}");
        Err(Denial::new(
            StatusCode::UNAUTHORIZED,
            message,
            Outcome::Unauthorized,
        ))
    }

    fn read(&self, path: &str, now: Timestamp) -> Result<Response<Full<Bytes>>, Denial> {
        let answers = self.board.borrow();
        let none = || Denial::not_found("this pod has no grant");
        let first = answers.grants.first().ok_or_else(none)?;
        match path {
            REGION_PATH => Ok(text(StatusCode::OK, region(first)?.to_owned().into())),
            DOCUMENT_PATH => {
                let document = serde_json::json!({
                    "version": "2017-09-30",
                    "region": region(first)?,
                });
                Ok(json(document.to_string().into()))
            }
            _ => match path.strip_prefix(ROLES_PATH) {
                // botocore takes the whole body for the name: no newline at its end.
                Some("" | "/") => Ok(text(StatusCode::OK, first.grant.clone().into())),
                Some(role) if role.strip_prefix('/') == Some(&first.grant) => {
                    Ok(json(self.credentials(first, now)))
                }
                Some(_) => Err(Denial::new(
                    StatusCode::NOT_FOUND,
                    format!("the only role here is {}", first.grant),
                    Outcome::Unknown,
                )),
                None => Err(Denial::not_found(format!(
                    "there are {ROLES_PATH}/, {REGION_PATH} and {DOCUMENT_PATH}"
                ))),
            },
        }
    }

    /// What is wrong is said with status 200, as EC2 does.
    fn credentials(&self, answer: &Answer, now: Timestamp) -> Bytes {
        let (outcome, code, message) = match answer.document(Form::Imds, now) {
            Ok(document) => {
                self.metrics.imds.count(Outcome::Served);
                return document;
            }
            Err(NoSession::Waiting(message)) => (Outcome::Waiting, "NoSession", message),
            Err(NoSession::Refused(message)) => (Outcome::Refused, "AccessDenied", message),
        };
        self.metrics.imds.count(outcome);
        let body = serde_json::json!({
            "Code": code,
            "Message": message,
            "LastUpdated": rfc3339(now),
        });
        body.to_string().into()
    }
}

fn region(answer: &Answer) -> Result<&str, Denial> {
    match answer.state() {
        State::Serving { region, .. } => Ok(region),
        State::Waiting { .. } | State::Refused(_) => Err(Denial::not_found(format!(
            "the region of grant {} is not known while it is not served",
            answer.grant
        ))),
    }
}

fn text(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    respond(status, body, HeaderValue::from_static("text/plain"))
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let kind = HeaderValue::from_static("application/json");
    respond(StatusCode::OK, body, kind)
}

fn respond(status: StatusCode, body: Bytes, kind: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
#[path = "imds_tests.rs"]
mod tests;
