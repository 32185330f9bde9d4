//! Short-term bearer tokens: a presigned request in another form, which whoever holds it may use until it expires.
//!
//! Byte for byte those of `token-generator-for-aws-external-anthropic` and `aws-bedrock-token-generator`. Making one
//! asks nobody, so that AWS records its use alone.

mod decode;

pub use decode::{DecodeError, Decoded, decode};

use crate::hosts::{Algorithm, Region};
use crate::sign::{Credentials, Request, SignError, Signer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest life of a token, and the life of one that nothing else is asked of.
pub const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(12);
/// A shorter one would be signed for no time at all.
pub const MIN_LIFETIME: SignedDuration = SignedDuration::from_secs(1);

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Claude Platform on AWS.
    Anthropic,
    /// Amazon Bedrock.
    Bedrock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Anthropic, Self::Bedrock];

    /// The signing name.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Anthropic => "aws-external-anthropic",
            Self::Bedrock => "bedrock",
        }
    }

    /// The host that is signed, whatever the region.
    const fn host(self) -> &'static str {
        match self {
            Self::Anthropic => "aws-external-anthropic.amazonaws.com",
            Self::Bedrock => "bedrock.amazonaws.com",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Anthropic => "aws-external-anthropic-api-key-",
            Self::Bedrock => "bedrock-api-key-",
        }
    }
}

/// A token, and until when it is good.
pub struct Token {
    /// As it goes into `Authorization: Bearer …` or `x-api-key`. Holds the session token: a secret.
    pub text: Zeroizing<String>,
    /// When AWS refuses it: after the life that was asked for, or with the credentials that signed it.
    pub expires: Timestamp,
}

/// Why no token was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Outside of [`MIN_LIFETIME`] and [`MAX_LIFETIME`].
    #[error("a token lives from 1 second to 12 hours, not {0:#}; ask for a life between")]
    Lifetime(SignedDuration),
    /// A token is good in one region.
    #[error("{0:?} is no region; give the one that the requests go to")]
    Region(String),
    /// The credentials are no good any more.
    #[error("the credentials expired at {0}; get new ones, and make the token of them")]
    Expired(Timestamp),
    /// Nothing was signed.
    #[error("signing the token of {service}: {source}")]
    Sign {
        /// The signing name.
        service: &'static str,
        /// Why.
        source: SignError,
    },
}

/// Makes a token at `now`, to live for `lifetime` (whole seconds of it count), of credentials that expire at
/// `credentials_expire`, if they do.
///
/// # Errors
/// [`TokenError`].
pub fn generate(
    kind: Kind,
    credentials: &Credentials<'_>,
    credentials_expire: Option<Timestamp>,
    region: &str,
    lifetime: SignedDuration,
    now: Timestamp,
) -> Result<Token, TokenError> {
    if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        return Err(TokenError::Lifetime(lifetime));
    }
    if region == "*" || Region::new(region).is_none() {
        return Err(TokenError::Region(region.to_owned()));
    }
    if let Some(expired) = credentials_expire.filter(|end| *end <= now) {
        return Err(TokenError::Expired(expired));
    }
    let seconds = lifetime.as_secs();
    let sign = |source| TokenError::Sign {
        service: kind.service(),
        source,
    };
    let request = Request {
        method: "POST",
        path: "/",
        query: "Action=CallWithBearerToken",
        headers: &[("host", kind.host().as_bytes())],
    };
    let query = Signer::new(credentials, kind.service(), region, Algorithm::SigV4, now)
        .and_then(|signer| signer.presign(&request, &[], seconds.unsigned_abs(), now))
        .map(Zeroizing::new)
        .map_err(sign)?;
    // The version stands after the signature, and is not signed.
    let url = Zeroizing::new(format!("{}/?{}&Version=1", kind.host(), *query));
    let mut text = Zeroizing::new(kind.prefix().to_owned());
    STANDARD.encode_string(&*url, &mut text);
    let end = now
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX);
    Ok(Token {
        text,
        expires: credentials_expire.map_or(end, |expire| expire.min(end)),
    })
}
