//! A signature in the request's headers.

use super::canonical::{self, Headers};
use super::key::{Signer, sha256_hex};
use super::{Payload, Request, SignError, is_s3};
use crate::hosts::Algorithm;
use jiff::Timestamp;

/// What a signed request carries besides its own headers.
pub struct Signed {
    /// To be put in place of any of the same name. The last is `authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// The signature alone, with which a [`super::ChunkSigner`] goes on.
    pub signature: String,
}

/// The canonical request, what it was made of, and the names it covers.
struct Canonical {
    text: Vec<u8>,
    names: String,
    headers: Vec<(&'static str, String)>,
}

impl Signer {
    /// Signs a request in its headers.
    ///
    /// A request with `date` and without `x-amz-date` gets a new `date`, as with botocore; any other an `x-amz-date`.
    /// The hash of the body goes into a header for S3 and `OpenSearch` Serverless, which ask for it, where the body is
    /// not hashed, and where the request has that header already.
    ///
    /// # Errors
    /// [`SignError::NoHost`], [`SignError::OtherDay`]; [`SignError::AsymmetricChunks`] and [`SignError::Asymmetric`]
    /// with version 4a.
    pub fn sign(
        &self,
        request: &Request<'_>,
        payload: Payload<'_>,
        time: Timestamp,
    ) -> Result<Signed, SignError> {
        let canonical = self.canonical(request, payload, time)?;
        let signature = self.sign_request(self.moment(time)?, &canonical.text)?;
        let authorization = format!(
            "{} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.form(),
            self.access_key_id,
            self.scope(),
            canonical.names
        );
        let mut headers = canonical.headers;
        headers.push(("authorization", authorization));
        Ok(Signed { headers, signature })
    }

    /// What [`Signer::sign`] hashes: AWS shows its own when a signature does not match. Holds the session token.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn canonical_request(
        &self,
        request: &Request<'_>,
        payload: Payload<'_>,
        time: Timestamp,
    ) -> Result<Vec<u8>, SignError> {
        Ok(self.canonical(request, payload, time)?.text)
    }

    fn canonical(
        &self,
        request: &Request<'_>,
        payload: Payload<'_>,
        time: Timestamp,
    ) -> Result<Canonical, SignError> {
        let moment = self.moment(time)?;
        let has = |name: &str| {
            request
                .headers
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        let hash = self.hash(payload)?;
        let mut headers = if has("date") && !has("x-amz-date") {
            vec![("date", moment.date_header())]
        } else {
            vec![("x-amz-date", moment.full())]
        };
        if let Some(token) = &self.session_token {
            headers.push((self.token_names().0, token.to_string()));
        }
        if self.algorithm == Algorithm::SigV4a {
            headers.push(("x-amz-region-set", self.region.clone()));
        }
        let is_hashed = matches!(payload, Payload::Body(_) | Payload::Hash(_));
        let asks = is_s3(&self.service) || self.service == "aoss";
        if asks || !is_hashed || has("x-amz-content-sha256") {
            headers.push(("x-amz-content-sha256", hash.clone()));
        }
        let own: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let covered = Headers::new(request, &own);
        if !covered.has("host") {
            return Err(SignError::NoHost);
        }
        let names = covered.names();
        let text = canonical::request(
            request,
            &self.service,
            request.query,
            &covered,
            &names,
            &hash,
        );
        Ok(Canonical {
            text,
            names,
            headers,
        })
    }

    /// What stands for the body.
    fn hash(&self, payload: Payload<'_>) -> Result<String, SignError> {
        let is_chunked = matches!(payload, Payload::Chunks | Payload::ChunksAndTrailer);
        if is_chunked && self.is_asymmetric() {
            return Err(SignError::AsymmetricChunks);
        }
        Ok(match payload {
            Payload::Body(body) => sha256_hex(body),
            Payload::Hash(hash) => hash.to_owned(),
            Payload::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
            Payload::Chunks => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
            Payload::ChunksAndTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".to_owned(),
            Payload::UnsignedChunksAndTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        })
    }
}
