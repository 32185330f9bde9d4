//! Request to IAM action: what AWS will ask its policies about, for rules and records.
//!
//! Told as the service itself tells it: by `X-Amz-Target`, by `Action`, or by method and path, whichever the service
//! knows. A request that says two things is told as none, since what counts for us must count for AWS. So is whatever
//! is not known here: rules may allow what is told, and must refuse the rest.
//!
//! Operations are those of botocore's models (`data/operations.txt`); the actions of the services whose names for
//! them differ are in `names`, and S3's, which are told by query and headers, in `s3`.

mod form;
mod models;
mod names;
mod resources;
mod rest;
mod s3;

use crate::hosts::{Kind, Scope};
use crate::sign::Request;
use std::fmt;
use thiserror::Error;

/// An action on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// As policies have it, which is not always the signing name: `cloudwatch` for `monitoring`.
    pub service: &'static str,
    /// `InvokeModel`.
    pub name: String,
    /// The ARN, where the request says it. What it does not say, such as the account, is `*`.
    pub resource: Option<String>,
}

/// As policies have it: `bedrock:InvokeModel`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}

/// Why a request's action cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Untold {
    /// The service is in no model.
    #[error(
        "no model of this service is known; sign for it without rules, or take a newer botocore's models"
    )]
    Service,
    /// No operation of the service is asked for in this way.
    #[error(
        "no operation of the service has this method, path, target or action; check the request"
    )]
    Operation,
    /// Two operations are asked for at once.
    #[error("the request names more than one operation; send one of them")]
    Ambiguous,
    /// The operation is named in the body.
    #[error("the operation stands in the body, which was not given; give the body")]
    Body,
}

/// The actions that a request to `host` needs, at least one: a copy in S3 reads and writes.
///
/// `body` is needed where the service is told its operation in a form (STS, IAM, EC2, SQS and some more), and tells
/// the resource for Secrets Manager.
///
/// # Errors
/// [`Untold`].
pub fn actions(
    scope: &Scope,
    host: &str,
    request: &Request<'_>,
    body: Option<&[u8]>,
) -> Result<Vec<Action>, Untold> {
    let scope = scope.at_path(request.path);
    match (scope.service, scope.kind) {
        ("s3" | "s3express" | "s3-object-lambda", _) | ("s3-outposts", Kind::Resource) => {
            s3::actions(&scope, host, request)
        }
        // The caller's own API or function: nothing models it.
        ("execute-api", Kind::Resource) => Ok(one("execute-api", "Invoke", None)),
        ("lambda", Kind::Resource) => Ok(one("lambda", "InvokeFunctionUrl", None)),
        // Named after the method, on a path.
        ("apigateway", _) => Ok(one("apigateway", request.method, None)),
        (service, _) => {
            let operation = operation(service, own_name(&scope, host), request, body)?;
            let resource = resources::of(&scope, operation.name, request, body);
            let name = names::action(service, operation.name);
            Ok(one(names::service(operation.service), name, resource))
        }
    }
}

/// An operation of a model.
struct Operation<'a> {
    service: &'static str,
    name: &'a str,
}

fn one(service: &'static str, name: &str, resource: Option<String>) -> Vec<Action> {
    vec![Action {
        service,
        name: name.to_owned(),
        resource,
    }]
}

/// The one operation that the request asks for, in whichever way the service is asked.
fn operation<'a>(
    service: &str,
    own: &str,
    request: &Request<'a>,
    body: Option<&'a [u8]>,
) -> Result<Operation<'a>, Untold> {
    let model = models::of(service, own).ok_or(Untold::Service)?;
    let asked = [
        model.target(request)?,
        model.cbor(request),
        model.form(request, body)?,
        model.rest(request)?,
    ];
    let mut asked = asked.into_iter().flatten();
    match (asked.next(), asked.next()) {
        (Some(name), None) => Ok(Operation {
            service: model.service,
            name,
        }),
        (Some(_), Some(_)) => Err(Untold::Ambiguous),
        (None, _) => Err(Untold::Operation),
    }
}

/// The host from where the service's own name begins.
fn own_name<'h>(scope: &Scope, host: &'h str) -> &'h str {
    let (_, own) = scope.split(host);
    match (scope.kind, own.split_once('.')) {
        // After the endpoint's.
        (Kind::PrivateLink, Some((_, own))) => own,
        _ => own,
    }
}

/// The only value of a header.
fn header<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a str>, Untold> {
    let mut values = request
        .headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| std::str::from_utf8(value).unwrap_or_default());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Untold::Ambiguous),
    }
}

/// What operations are called.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
