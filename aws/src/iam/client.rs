//! Calls of IAM over HTTP.

use super::{IamError, RolePolicy, answer};
use crate::{
    classify::Dispatch,
    failure::Failure,
    mend::{Asked, By},
    partition,
    wire::{Endpoint, Wire},
};
use alter_policy::arn::RoleArn;
use alter_protocol::Session;
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use form_urlencoded::Serializer;
use jiff::Timestamp;

const VERSION: &str = "2010-05-08";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Of the credential scope.
const SERVICE: &str = "iam";

/// A client of IAM, for any account. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Iam {
    wire: Wire,
    endpoint: Option<String>,
}

/// One call.
struct Call<'a> {
    action: &'static str,
    by: &'a Session,
    policy: RolePolicy<'a>,
    document: Option<&'a str>,
    now: Timestamp,
}

impl Iam {
    /// Makes a client, with a URL in place of AWS's own; nobody is asked yet.
    #[must_use]
    pub fn new(endpoint: Option<String>) -> Self {
        Self {
            wire: Wire::new(),
            endpoint,
        }
    }

    /// `iam:GetRolePolicy`: the document, or nothing where there is no such policy, or no such role.
    pub async fn get_role_policy(
        &self,
        by: &Session,
        policy: RolePolicy<'_>,
        now: Timestamp,
    ) -> Result<Option<String>, IamError> {
        let call = Call {
            action: "GetRolePolicy",
            by,
            policy,
            document: None,
            now,
        };
        match self.ask(&call, answer::document).await {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `iam:PutRolePolicy`: writes the whole of it.
    pub async fn put_role_policy(
        &self,
        by: &Session,
        policy: RolePolicy<'_>,
        document: &str,
        now: Timestamp,
    ) -> Result<(), IamError> {
        let call = Call {
            action: "PutRolePolicy",
            by,
            policy,
            document: Some(document),
            now,
        };
        self.ask(&call, nothing(call.action)).await
    }

    /// `iam:DeleteRolePolicy`; one that is not there is well removed.
    pub async fn delete_role_policy(
        &self,
        by: &Session,
        policy: RolePolicy<'_>,
        now: Timestamp,
    ) -> Result<(), IamError> {
        let call = Call {
            action: "DeleteRolePolicy",
            by,
            policy,
            document: None,
            now,
        };
        match self.ask(&call, nothing(call.action)).await {
            Err(error) if error.is_absence() => Ok(()),
            answer => answer,
        }
    }

    /// Tried once, as all calls are.
    async fn ask<T>(
        &self,
        call: &Call<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, IamError> {
        let RoleArn {
            partition, name, ..
        } = call.policy.role;
        let (own, region) = partition::iam(partition);
        let url = match &self.endpoint {
            Some(url) => url.clone(),
            None => format!("https://{own}/"),
        };
        let asked = Asked {
            place: self.endpoint.as_deref().unwrap_or(own),
            request: None,
            by: By::Revoker,
        };
        let answered = async {
            let request = request(call, &url, region).ok_or_else(|| {
                let what = format!("{url:?} is no URL");
                Failure::unanswered(Dispatch::Request, what, &asked)
            })?;
            let answer = self.wire.ask(request, &asked).await?;
            if answer.status == 200 {
                return read(&answer.body).map_err(|what| Failure::incomplete(what, &asked));
            }
            let (code, message) = answer::error(&answer.body);
            let (code, message) = (code.as_deref(), message.as_deref());
            Err(Failure::answered(answer.status, code, message, &asked))
        };
        answered.await.map_err(|failure| IamError {
            operation: call.action,
            policy: call.policy.name.to_owned(),
            role: name.to_owned(),
            failure: Box::new(failure),
        })
    }
}

/// An answer of 200 that is not IAM's is of something on the way: nothing was done.
fn nothing(action: &'static str) -> impl FnOnce(&[u8]) -> Result<(), &'static str> {
    move |body| {
        if answer::is_of(action, body) {
            Ok(())
        } else {
            Err("what IAM says to it")
        }
    }
}

/// The signed request. Nothing where the URL is none.
fn request(call: &Call<'_>, url: &str, region: &str) -> Option<HttpRequest> {
    let endpoint = Endpoint::parse(url)?;
    let body = form(call);
    let credentials = Credentials::new(
        &call.by.access_key_id,
        call.by.secret_access_key.as_str(),
        Some(call.by.session_token.to_string()),
        None,
        "alter",
    );
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(call.now.into())
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let own = [("content-type", FORM), ("host", endpoint.host.as_str())];
    let signable = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new("POST", url, own.into_iter(), signable).ok()?;
    let (signature, _) = sign(signable, &parameters).ok()?.into_parts();
    let content = [("content-type", FORM)].into_iter();
    endpoint.post(content.chain(signature.headers()), body)
}

fn form(call: &Call<'_>) -> String {
    let RolePolicy { role, name } = call.policy;
    // Without its path, of which the name is independent.
    let role = role.name.rsplit('/').next().unwrap_or_default();
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", call.action)
        .append_pair("Version", VERSION)
        .append_pair("RoleName", role)
        .append_pair("PolicyName", name);
    if let Some(document) = call.document {
        form.append_pair("PolicyDocument", document);
    }
    form.finish()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
