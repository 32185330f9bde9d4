//! `CreateSession` over HTTP.

use super::{answer, certificate::Certificate, signature};
use crate::{
    classify::{Class, Dispatch},
    entry::{Entry, EntryError},
    failure::{Failure, innermost},
    mend::{Asked, By},
    partition,
    sts::{Assumed, LIMITS},
};
use alter_policy::roles_anywhere::{Resource, RolesAnywhereArn, RolesAnywhereArnError};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use serde::Serialize;

/// An answer is a few kilobytes.
const LARGEST: usize = 256 << 10;

/// Through what a role is entered.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// ARN of the trust anchor, whose region is asked.
    pub trust_anchor_arn: String,
    /// ARN of the profile.
    pub profile_arn: String,
    /// A URL in place of AWS's own.
    pub endpoint: Option<String>,
}

/// A client of IAM Roles Anywhere. Clones share their connections.
#[derive(Clone, Debug)]
pub struct RolesAnywhere {
    connector: SharedHttpConnector,
    trust_anchor_arn: String,
    profile_arn: String,
    region: String,
    endpoint: String,
    place: String,
}

/// The body of the request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateSession<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<i32>,
    profile_arn: &'a str,
    role_arn: &'a str,
    trust_anchor_arn: &'a str,
}

impl RolesAnywhere {
    /// Makes a client; nobody is asked yet.
    pub fn new(anchor: Anchor) -> Result<Self, RolesAnywhereArnError> {
        let arn = RolesAnywhereArn::parse(&anchor.trust_anchor_arn, Resource::TrustAnchor)?;
        let own = || {
            let suffix = partition::dns_suffix(arn.partition);
            format!("https://rolesanywhere.{}.{suffix}", arn.region)
        };
        // The SDK's own client, as it asks STS.
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        Ok(Self {
            connector: SharedHttpConnector::new(connector.build()),
            region: arn.region.to_owned(),
            place: anchor
                .endpoint
                .clone()
                .unwrap_or_else(|| format!("Roles Anywhere in {}", arn.region)),
            endpoint: anchor.endpoint.unwrap_or_else(own),
            trust_anchor_arn: anchor.trust_anchor_arn,
            profile_arn: anchor.profile_arn,
        })
    }

    /// Enters the role with a certificate. Tried once, as all calls are.
    pub async fn enter(
        &self,
        certificate: &Certificate,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Assumed, EntryError> {
        let asked = Asked {
            place: &self.place,
            request: None,
            by: By::Certificate,
        };
        let created = self.create_session(certificate, entry, now, &asked).await;
        created.map_err(|failure| EntryError::CreateSession {
            role_arn: entry.role_arn.clone(),
            failure: Box::new(failure),
        })
    }

    async fn create_session(
        &self,
        certificate: &Certificate,
        entry: &Entry,
        now: Timestamp,
        asked: &Asked<'_>,
    ) -> Result<Assumed, Failure> {
        let request = self.request(certificate, entry, now, asked)?;
        let call = async {
            let response = self.connector.call(request).await;
            let response = response.map_err(|error| unanswered(&error, asked))?;
            read(response, asked).await
        };
        let limited = tokio::time::timeout(LIMITS.whole, call).await;
        let (status, code, body) = limited.unwrap_or_else(|_| Err(Failure::timeout(asked)))?;
        if status == 201 {
            return answer::session(&body).map_err(|what| Failure::incomplete(what, asked));
        }
        let message = answer::message(&body);
        let (code, message) = (code.as_deref(), message.as_deref());
        Err(Failure::answered(status, code, message, asked))
    }

    fn request(
        &self,
        certificate: &Certificate,
        entry: &Entry,
        now: Timestamp,
        asked: &Asked<'_>,
    ) -> Result<HttpRequest, Failure> {
        let unmade = |what: String| Failure::unanswered(Dispatch::Request, what, asked);
        let text = format!("{}/sessions", self.endpoint.trim_end_matches('/'));
        let no_url = || unmade(format!("{text:?} is no URL"));
        let uri: Uri = text.parse().map_err(|_| no_url())?;
        let authority = uri.authority().ok_or_else(no_url)?;
        let default = match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        // As HTTP clients write the header.
        let host = match authority.port_u16() {
            Some(port) if port != default => authority.as_str(),
            _ => authority.host(),
        };
        // The session's name is not sent: profiles take none unless they are told to.
        let body = serde_json::to_string(&CreateSession {
            duration_seconds: entry.duration_seconds,
            profile_arn: &self.profile_arn,
            role_arn: &entry.role_arn,
            trust_anchor_arn: &self.trust_anchor_arn,
        })
        .map_err(|_| no_url())?;
        let of = (host, uri.path(), self.region.as_str());
        let headers = signature::headers(of, &body, certificate, now).ok_or_else(|| Failure {
            class: Class::InvalidInput,
            code: None,
            what: "the certificate's key does not sign".to_owned(),
            mend: "write another certificate with its key into the identity's Secret".to_owned(),
        })?;
        let mut request = http::Request::post(uri.clone()).header("host", host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(SdkBody::from(body)).map_err(|_| no_url())?;
        HttpRequest::try_from(request).map_err(|_| no_url())
    }
}

/// Status, error code and body of an answer.
async fn read(
    response: HttpResponse,
    asked: &Asked<'_>,
) -> Result<(u16, Option<String>, Vec<u8>), Failure> {
    let status = response.status().as_u16();
    let header = response.headers().get("x-amzn-errortype");
    let code = header.map(|header| answer::code(header).to_owned());
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|_| Failure::incomplete("its end", asked))?;
    Ok((status, code, body.to_bytes().to_vec()))
}

fn unanswered(error: &ConnectorError, asked: &Asked<'_>) -> Failure {
    if error.is_timeout() {
        return Failure::timeout(asked);
    }
    let what = format!("cannot reach {}: {}", asked.place, innermost(error));
    Failure::unanswered(Dispatch::Io, what, asked)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
