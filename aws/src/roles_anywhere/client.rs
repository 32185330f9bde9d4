//! `CreateSession` over HTTP.

use super::{answer, certificate::Certificate, signature};
use crate::{
    classify::{Class, Dispatch},
    entry::{Entry, EntryError},
    failure::Failure,
    mend::{Asked, By},
    partition,
    sts::Assumed,
    wire::{Endpoint, Wire},
};
use alter_policy::roles_anywhere::{Resource, RolesAnywhereArn, RolesAnywhereArnError};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use jiff::Timestamp;
use serde::Serialize;

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
    wire: Wire,
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
        Ok(Self {
            wire: Wire::new(),
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
        let answer = self.wire.ask(request, asked).await?;
        if answer.status == 201 {
            return answer::session(&answer.body).map_err(|what| Failure::incomplete(what, asked));
        }
        let code = answer.error_type.as_deref().map(answer::code);
        let message = answer::message(&answer.body);
        Err(Failure::answered(
            answer.status,
            code,
            message.as_deref(),
            asked,
        ))
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
        let endpoint = Endpoint::parse(&text).ok_or_else(no_url)?;
        // The session's name is not sent: profiles take none unless they are told to.
        let body = serde_json::to_string(&CreateSession {
            duration_seconds: entry.duration_seconds,
            profile_arn: &self.profile_arn,
            role_arn: &entry.role_arn,
            trust_anchor_arn: &self.trust_anchor_arn,
        })
        .map_err(|_| no_url())?;
        let of = (
            endpoint.host.as_str(),
            endpoint.uri.path(),
            self.region.as_str(),
        );
        let headers = signature::headers(of, &body, certificate, now).ok_or_else(|| Failure {
            class: Class::InvalidInput,
            code: None,
            what: "the certificate's key does not sign".to_owned(),
            mend: "write another certificate with its key into the identity's Secret".to_owned(),
        })?;
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        endpoint.post(headers, body).ok_or_else(no_url)
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
