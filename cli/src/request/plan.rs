//! What is sent where, and as what it is signed.

use super::Body;
use crate::args;
use alter_sigv4::hosts::{self, Algorithm, Refusal};
use alter_sigv4::sign::{self, SignError};
use http::Uri;
use thiserror::Error;

/// Why nothing is sent.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The URL is none.
    #[error(
        "{url:?} is no URL that can be asked: {reason}; give one such as https://sts.us-east-1.amazonaws.com/"
    )]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a host to sign for.
    #[error("{host}: {refusal} (--service and --region)")]
    Host {
        /// As it was given.
        host: String,
        /// Why.
        refusal: Refusal,
    },
    /// A header without a colon.
    #[error("--header {0:?} is no `Name: value`; write it so")]
    Header(String),
    /// S3 Express takes a session of its own.
    #[error(
        "{0} wants a session of S3 Express; get one with GET https://{0}/?session, and sign with its keys"
    )]
    Express(String),
    /// No signature.
    #[error("signing the request: {source}")]
    Sign {
        /// Why.
        source: SignError,
    },
}

/// A request, before it is signed. Has no `Debug`: its headers may hold a secret.
pub struct Plan {
    /// In upper case.
    pub method: String,
    /// Where to.
    pub uri: Uri,
    /// All but what the signature adds.
    pub headers: Vec<(String, String)>,
    /// The signing name.
    pub service: String,
    /// Given, or said by the host.
    pub region: String,
    /// How it is signed.
    pub algorithm: Algorithm,
}

impl Plan {
    /// Reads the arguments.
    ///
    /// # Errors
    /// All of [`PlanError`] but [`PlanError::Sign`].
    pub fn new(asked: &args::Request, body: &Body) -> Result<Self, PlanError> {
        let bad = |reason: &str| PlanError::Url {
            url: asked.url.clone(),
            reason: reason.to_owned(),
        };
        let uri: Uri = asked
            .url
            .parse()
            .map_err(|error: http::uri::InvalidUri| bad(&error.to_string()))?;
        let default = match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => return Err(bad("it begins with neither https:// nor http://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') {
            // Which may be a password, and is not repeated.
            return Err(PlanError::Url {
                url: authority.host().to_owned(),
                reason: "it has a user in it".to_owned(),
            });
        }
        let host = match authority.port_u16() {
            Some(port) if port != default => authority.as_str(),
            _ => authority.host(),
        }
        .to_owned();
        let signing = Signing::new(asked, authority.as_str(), &uri)?;
        let mut headers = vec![("host".to_owned(), host)];
        for header in &asked.headers {
            let parts = header
                .split_once(':')
                .filter(|(name, _)| !name.trim().is_empty());
            let (name, value) = parts.ok_or_else(|| PlanError::Header(header.clone()))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let has = |name: &str| headers.iter().any(|(other, _)| other == name);
        let kind = body.kind.filter(|_| !has("content-type"));
        if body.length > 0 && !has("content-length") {
            headers.push(("content-length".to_owned(), body.length.to_string()));
        }
        headers.extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        Ok(Self {
            method: asked.method.to_ascii_uppercase(),
            uri,
            headers,
            service: signing.service,
            region: signing.region,
            algorithm: signing.algorithm,
        })
    }

    /// The request as it is signed.
    pub fn with_request<T>(&self, sign: impl FnOnce(&sign::Request<'_>) -> T) -> T {
        let pairs = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers: Vec<(&str, &[u8])> = pairs.collect();
        sign(&sign::Request {
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            headers: &headers,
        })
    }
}

struct Signing {
    service: String,
    region: String,
    algorithm: Algorithm,
}

impl Signing {
    /// What is given counts before what the host says.
    fn new(asked: &args::Request, authority: &str, uri: &Uri) -> Result<Self, PlanError> {
        let scope = match (hosts::scope(authority), &asked.service, &asked.region) {
            (Ok(scope), ..) => scope.at_path(uri.path()),
            (Err(_), Some(service), Some(region)) => {
                return Ok(Self {
                    service: service.clone(),
                    region: region.clone(),
                    algorithm: Algorithm::SigV4,
                });
            }
            (Err(refusal), ..) => {
                return Err(PlanError::Host {
                    host: authority.to_owned(),
                    refusal,
                });
            }
        };
        let is_session = uri
            .query()
            .is_some_and(|query| query.split('&').any(|name| name == "session"));
        let algorithm = match scope.algorithm {
            // The session itself is asked for with what it is made of.
            Algorithm::S3Express if is_session => Algorithm::SigV4,
            Algorithm::S3Express => return Err(PlanError::Express(authority.to_owned())),
            other => other,
        };
        Ok(Self {
            service: asked
                .service
                .clone()
                .unwrap_or_else(|| scope.service.to_owned()),
            region: asked
                .region
                .clone()
                .unwrap_or_else(|| scope.region.to_string()),
            algorithm,
        })
    }
}
