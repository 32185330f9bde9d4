//! What a token says of itself, without what makes it one.

use super::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use zeroize::Zeroizing;

/// No token is longer: a session token is of some kilobytes at most.
const LONGEST: usize = 64 << 10;

/// What may be shown of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it is for.
    pub kind: Kind,
    /// The only region that takes it.
    pub region: String,
    /// Of the credentials that signed it.
    pub access_key_id: String,
    /// Whether those are a session's, so that the token may end before its time.
    pub is_of_session: bool,
    /// When it was made.
    pub issued: Timestamp,
    /// When it expires, at the latest: it ends with its credentials too, whose end it does not say.
    pub expires: Timestamp,
}

/// Why a text is no token that can be read. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It begins like none.
    #[error(
        "no short-term token: those begin with bedrock-api-key- or aws-external-anthropic-api-key-"
    )]
    Kind,
    /// A long-term key, which says nothing of itself.
    #[error("a long-term API key, which carries neither region nor expiry; look it up in IAM")]
    LongTerm,
    /// It is cut off or changed.
    #[error("the token is incomplete or was changed; copy all of it")]
    Malformed,
}

/// Reads a token. White space around it does not matter.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(token: &str) -> Result<Decoded, DecodeError> {
    let token = token.trim();
    let (kind, encoded) = Kind::ALL
        .into_iter()
        .find_map(|kind| Some((kind, token.strip_prefix(kind.prefix())?)))
        .ok_or_else(|| match token.get(..4) {
            Some("ABSK" | "AEAA") => DecodeError::LongTerm,
            _ => DecodeError::Kind,
        })?;
    if encoded.len() > LONGEST {
        return Err(DecodeError::Malformed);
    }
    let url = Zeroizing::new(
        STANDARD
            .decode(encoded)
            .map_err(|_| DecodeError::Malformed)?,
    );
    std::str::from_utf8(&url)
        .ok()
        .and_then(|url| read(kind, url))
        .ok_or(DecodeError::Malformed)
}

fn read(kind: Kind, url: &str) -> Option<Decoded> {
    let query = url
        .strip_prefix(kind.host())?
        .strip_prefix("/?")?
        .strip_suffix("&Version=1")?;
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|parameter| parameter.split_once('='))
            .find_map(|(other, value)| (other == name).then_some(value))
    };
    let is_token = value("Action") == Some("CallWithBearerToken")
        && value("X-Amz-Algorithm") == Some("AWS4-HMAC-SHA256")
        && value("X-Amz-Signature").is_some_and(|signature| signature.len() == 64);
    let credential: Vec<&str> = value("X-Amz-Credential")?.split("%2F").collect();
    let [access_key_id, _, region, service, "aws4_request"] = credential[..] else {
        return None;
    };
    let is_plain = |text: &str| !text.contains('%') && text.bytes().all(|b| b.is_ascii_graphic());
    if !is_token || service != kind.service() || !is_plain(access_key_id) || !is_plain(region) {
        return None;
    }
    let issued = DateTime::strptime("%Y%m%dT%H%M%SZ", value("X-Amz-Date")?).ok()?;
    let issued = Offset::UTC.to_timestamp(issued).ok()?;
    let seconds = value("X-Amz-Expires")?.parse::<u32>().ok()?;
    Some(Decoded {
        kind,
        region: region.to_owned(),
        access_key_id: access_key_id.to_owned(),
        is_of_session: value("X-Amz-Security-Token").is_some(),
        issued,
        expires: issued
            .checked_add(SignedDuration::from_secs(seconds.into()))
            .ok()?,
    })
}
