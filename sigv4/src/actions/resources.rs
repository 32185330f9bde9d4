//! The resource that a request names, as an ARN.

use super::form::decode;
use crate::hosts::Scope;
use crate::sign::Request;
use serde::Deserialize;

/// What the request says of the resource; `None` where it says nothing that is known here.
pub(super) fn of(
    scope: &Scope,
    operation: &str,
    request: &Request<'_>,
    body: Option<&[u8]>,
) -> Option<String> {
    match scope.service {
        "bedrock" => bedrock(scope, request.path),
        "lambda" => lambda(scope, request.path),
        "secretsmanager" if operation != "CreateSecret" => secret(scope, body?),
        _ => None,
    }
}

/// An ARN of the request's region, in any account.
fn arn(scope: &Scope, account: &str, rest: &str) -> String {
    let Scope {
        partition,
        service,
        region,
        ..
    } = scope;
    format!("arn:{partition}:{service}:{region}:{account}:{rest}")
}

/// `/model/ID/…`, `/guardrail/ID/…`: the id, or the ARN.
fn bedrock(scope: &Scope, path: &str) -> Option<String> {
    let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
    let id = segment(rest)?;
    if id.starts_with("arn:") {
        return Some(id);
    }
    match kind {
        "guardrail" => Some(arn(scope, "*", &format!("guardrail/{id}"))),
        "model" if is_profile(&id) => Some(arn(scope, "*", &format!("inference-profile/{id}"))),
        "model" => Some(arn(scope, "", &format!("foundation-model/{id}"))),
        _ => None,
    }
}

/// `us.anthropic.claude…` is a profile of several regions, `anthropic.claude…` a model: profiles have one part more
/// before the maker.
fn is_profile(id: &str) -> bool {
    id.split_once('.').is_some_and(|(place, rest)| {
        let is_place = matches!(
            place,
            "us" | "us-gov" | "eu" | "apac" | "jp" | "au" | "ca" | "global"
        );
        is_place && rest.contains('.')
    })
}

/// `/2015-03-31/functions/NAME/…`: the name, or the ARN, with a version behind it or without.
fn lambda(scope: &Scope, path: &str) -> Option<String> {
    let (_, rest) = path.strip_prefix('/')?.split_once("/functions/")?;
    let function = segment(rest)?;
    if function.starts_with("arn:") {
        return Some(function);
    }
    // `ACCOUNT:function:NAME` is one of the forms.
    let (account, name) = function
        .split_once(":function:")
        .unwrap_or(("*", &function));
    Some(arn(scope, account, &format!("function:{name}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    secret_id: Option<String>,
}

/// The name, which an ARN has with six more letters, or the ARN.
fn secret(scope: &Scope, body: &[u8]) -> Option<String> {
    let Secret { secret_id } = serde_json::from_slice(body).ok()?;
    let id = secret_id?;
    if id.starts_with("arn:") {
        return Some(id);
    }
    Some(arn(scope, "*", &format!("secret:{id}-??????")))
}

/// The first segment, decoded once.
fn segment(rest: &str) -> Option<String> {
    let segment = rest
        .split('/')
        .next()
        .filter(|segment| !segment.is_empty())?;
    String::from_utf8(decode(segment)).ok()
}
