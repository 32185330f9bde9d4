//! Signatures: what a request to AWS must carry to be believed.
//!
//! Header signatures, presigned URLs and chunked bodies of Signature Version 4, its asymmetric form 4a, and the
//! sessions of S3 Express, as <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html> has them. Where
//! that page leaves a choice, it is botocore's.

mod canonical;
mod chunk;
mod headers;
mod key;
mod presign;
mod time;
mod v4a;

pub use chunk::{ChunkSigner, encoded_length};
pub use headers::Signed;
pub use key::Signer;
pub use presign::MAX_EXPIRES;

use thiserror::Error;

/// An access key, long-lived or of a session.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `AKIA…`, `ASIA…`: no secret.
    pub access_key_id: &'a str,
    /// Never leaves this crate.
    pub secret_access_key: &'a str,
    /// What a temporary key has besides.
    pub session_token: Option<&'a str>,
}

/// A request as it goes over the wire.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// The path as it is sent; empty means `/`.
    pub path: &'a str,
    /// The query as it is sent, without `?`.
    pub query: &'a str,
    /// All headers, with `host` among them, in any order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What the signature says of the body.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// All of it, to be hashed here.
    Body(&'a [u8]),
    /// Its SHA-256, in lower-case hexadecimal.
    Hash(&'a str),
    /// Nothing. S3 takes it over TLS.
    Unsigned,
    /// Chunks, each with a signature: see [`ChunkSigner`].
    Chunks,
    /// Chunks, each with a signature, and a signed trailer.
    ChunksAndTrailer,
    /// Chunks without signatures, and a trailer. S3 takes it over TLS.
    UnsignedChunksAndTrailer,
}

/// Why nothing was signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignError {
    /// A request without `host`.
    #[error("the request has no host header; give it the host that it goes to")]
    NoHost,
    /// A signing key is good for one day.
    #[error("the signing key is for {day}, and the request of {time}; make the key of that day")]
    OtherDay {
        /// The key's day.
        day: String,
        /// The request's time.
        time: String,
    },
    /// A presigned URL lives from one second to a week.
    #[error(
        "a presigned URL lives from 1 to {MAX_EXPIRES} seconds, not {0}; ask for a life between"
    )]
    Expires(u64),
    /// Years that a signature cannot name.
    #[error("no signature can name the year {0}; set the clock")]
    Year(i16),
    /// No key of version 4a comes of this secret.
    #[error("no version 4a key comes of the access key {0}; make another access key")]
    AsymmetricKey(String),
    /// The system gave no randomness.
    #[error("signing with the version 4a key of {0} failed; try again")]
    Asymmetric(String),
    /// Version 4a signs chunks in a way of its own, which S3 alone takes.
    #[error(
        "chunks of version 4a cannot be signed one by one; hash the body, or send it unsigned over TLS"
    )]
    AsymmetricChunks,
}

/// Whether S3's own rules hold for a signing name: the path is signed as it is sent, and the hash of the body is always.
fn is_s3(service: &str) -> bool {
    matches!(
        service,
        "s3" | "s3express" | "s3-object-lambda" | "s3-outposts"
    )
}
