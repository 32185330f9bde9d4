//! A signature in the URL.

use super::canonical::{self, Headers, write_encoded};
use super::key::{Signer, sha256_hex};
use super::{Request, SignError, is_s3};
use crate::hosts::Algorithm;
use jiff::Timestamp;

/// The longest life of a presigned URL, in seconds: a week.
pub const MAX_EXPIRES: u64 = 604_800;

impl Signer {
    /// The query of a presigned URL: the request's own, and the signature after it.
    ///
    /// Whoever sends it must send the headers of `request` too, so that few belong there. `body` is what will be sent;
    /// S3 takes any. The URL lives for `expires` seconds, and no longer than the session that signs it.
    ///
    /// # Errors
    /// [`SignError::NoHost`], [`SignError::OtherDay`], [`SignError::Expires`]; [`SignError::Asymmetric`] with version
    /// 4a.
    pub fn presign(
        &self,
        request: &Request<'_>,
        body: &[u8],
        expires: u64,
        time: Timestamp,
    ) -> Result<String, SignError> {
        if !(1..=MAX_EXPIRES).contains(&expires) {
            return Err(SignError::Expires(expires));
        }
        let moment = self.moment(time)?;
        let covered = Headers::new(request, &[]);
        if !covered.has("host") {
            return Err(SignError::NoHost);
        }
        let names = covered.names();
        let mut query = Query(request.query.to_owned());
        query.add("X-Amz-Algorithm", self.form());
        query.add(
            "X-Amz-Credential",
            &format!("{}/{}", self.access_key_id, self.scope()),
        );
        query.add("X-Amz-Date", &moment.full());
        query.add("X-Amz-Expires", &expires.to_string());
        if self.algorithm == Algorithm::SigV4a {
            query.add("X-Amz-Region-Set", &self.region);
        }
        query.add("X-Amz-SignedHeaders", &names);
        if let Some(token) = &self.session_token {
            query.add(self.token_names().1, token);
        }
        let hash = if is_s3(&self.service) {
            "UNSIGNED-PAYLOAD".to_owned()
        } else {
            sha256_hex(body)
        };
        let text = canonical::request(request, &self.service, &query.0, &covered, &names, &hash);
        query.add("X-Amz-Signature", &self.sign_request(moment, &text)?);
        Ok(query.0)
    }
}

struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        let mut encoded = Vec::with_capacity(value.len());
        write_encoded(value.as_bytes(), &mut encoded);
        self.0.extend(encoded.into_iter().map(char::from));
    }
}
