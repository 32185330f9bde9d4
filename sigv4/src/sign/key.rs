//! The key of one day, region and service.

use super::time::Moment;
use super::{Credentials, SignError, v4a};
use crate::hosts::Algorithm;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::EcdsaKeyPair;
use jiff::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Signs requests of one access key to one service in one region, for one day (in UTC).
///
/// Making it costs more than signing with it: keep it while the day lasts.
pub struct Signer {
    pub(super) access_key_id: String,
    pub(super) session_token: Option<Zeroizing<String>>,
    pub(super) service: String,
    pub(super) region: String,
    pub(super) algorithm: Algorithm,
    day: String,
    key: Key,
}

enum Key {
    V4(Box<hmac::Key>),
    V4a(Box<EcdsaKeyPair>),
}

impl Signer {
    /// The key for requests on the day of `time`. For [`Algorithm::SigV4a`], `region` is the set of regions: `*`, or
    /// names with commas between.
    ///
    /// # Errors
    /// [`SignError::Year`], [`SignError::AsymmetricKey`].
    pub fn new(
        credentials: &Credentials<'_>,
        service: &str,
        region: &str,
        algorithm: Algorithm,
        time: Timestamp,
    ) -> Result<Self, SignError> {
        let day = Moment::new(time)?.day();
        let key = match algorithm {
            Algorithm::SigV4 | Algorithm::S3Express => Key::V4(Box::new(v4_key(
                credentials.secret_access_key,
                &day,
                region,
                service,
            ))),
            Algorithm::SigV4a => {
                Key::V4a(Box::new(v4a::key_pair(credentials).ok_or_else(|| {
                    SignError::AsymmetricKey(credentials.access_key_id.to_owned())
                })?))
            }
        };
        Ok(Self {
            access_key_id: credentials.access_key_id.to_owned(),
            session_token: credentials
                .session_token
                .map(|token| Zeroizing::new(token.to_owned())),
            service: service.to_owned(),
            region: region.to_owned(),
            algorithm,
            day,
            key,
        })
    }

    /// The time, if it is of the key's day.
    pub(super) fn moment(&self, time: Timestamp) -> Result<Moment, SignError> {
        let moment = Moment::new(time)?;
        if moment.day() == self.day {
            return Ok(moment);
        }
        Err(SignError::OtherDay {
            day: self.day.clone(),
            time: moment.full(),
        })
    }

    /// `20260304/us-west-2/bedrock/aws4_request`; version 4a leaves the region out.
    pub(super) fn scope(&self) -> String {
        match self.key {
            Key::V4(_) => format!("{}/{}/{}/aws4_request", self.day, self.region, self.service),
            Key::V4a(_) => format!("{}/{}/aws4_request", self.day, self.service),
        }
    }

    /// What the signature calls its own form.
    pub(super) const fn form(&self) -> &'static str {
        match self.key {
            Key::V4(_) => "AWS4-HMAC-SHA256",
            Key::V4a(_) => "AWS4-ECDSA-P256-SHA256",
        }
    }

    /// The header and the parameter that carry the session token.
    pub(super) const fn token_names(&self) -> (&'static str, &'static str) {
        match self.algorithm {
            Algorithm::S3Express => ("x-amz-s3session-token", "X-Amz-S3session-Token"),
            Algorithm::SigV4 | Algorithm::SigV4a => {
                ("x-amz-security-token", "X-Amz-Security-Token")
            }
        }
    }

    /// The signature of a canonical request, in hexadecimal.
    pub(super) fn sign_request(
        &self,
        moment: Moment,
        canonical: &[u8],
    ) -> Result<String, SignError> {
        let text = format!(
            "{}\n{}\n{}\n{}",
            self.form(),
            moment.full(),
            self.scope(),
            sha256_hex(canonical)
        );
        self.sign_text(text.as_bytes())
    }

    /// The signature of a string to sign, in hexadecimal.
    pub(super) fn sign_text(&self, text: &[u8]) -> Result<String, SignError> {
        match &self.key {
            Key::V4(key) => Ok(hex(hmac::sign(key, text).as_ref())),
            Key::V4a(pair) => v4a::sign(pair, text)
                .map(|signature| hex(signature.as_ref()))
                .ok_or_else(|| SignError::Asymmetric(self.access_key_id.clone())),
        }
    }

    pub(super) const fn is_asymmetric(&self) -> bool {
        matches!(self.key, Key::V4a(_))
    }
}

/// Without the key and the token.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope())
            .finish_non_exhaustive()
    }
}

fn v4_key(secret: &str, day: &str, region: &str, service: &str) -> hmac::Key {
    let secret = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
    for part in [day, region, service, "aws4_request"] {
        key = hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes)
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(sha256(bytes).as_ref())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
