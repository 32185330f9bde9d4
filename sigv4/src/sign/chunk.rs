//! Bodies in chunks, each with a signature that covers the one before.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>. The request has
//! `content-encoding: aws-chunked`, `x-amz-decoded-content-length` and, with a trailer, `x-amz-trailer`.

use super::SignError;
use super::key::{Signer, hex, sha256, sha256_hex};
use super::time::Moment;
use jiff::Timestamp;

/// In hexadecimal.
const SIGNATURE: u64 = 64;
const BEFORE_SIGNATURE: &str = ";chunk-signature=";
const BEFORE_TRAILER: &str = "x-amz-trailer-signature:";

/// Signs the chunks of one request, in their order.
pub struct ChunkSigner<'a> {
    signer: &'a Signer,
    moment: Moment,
    previous: String,
    nothing: String,
}

impl Signer {
    /// Goes on from the signature of the headers, at their time, with the chunks.
    ///
    /// # Errors
    /// [`SignError::OtherDay`], [`SignError::AsymmetricChunks`].
    pub fn chunks(&self, signature: &str, time: Timestamp) -> Result<ChunkSigner<'_>, SignError> {
        if self.is_asymmetric() {
            return Err(SignError::AsymmetricChunks);
        }
        Ok(ChunkSigner {
            signer: self,
            moment: self.moment(time)?,
            previous: signature.to_owned(),
            nothing: sha256_hex(&[]),
        })
    }
}

impl ChunkSigner<'_> {
    /// The line that goes before a chunk; after the chunk goes `\r\n`. The last chunk is empty: after its line goes
    /// the trailer, or `\r\n`.
    ///
    /// All chunks but the last two have one length, of 8 KiB at least.
    ///
    /// # Errors
    /// None with version 4.
    pub fn chunk(&mut self, data: &[u8]) -> Result<String, SignError> {
        let hash = hex(sha256(data).as_ref());
        let rest = format!("{}\n{hash}", self.nothing);
        self.sign("PAYLOAD", &rest)?;
        Ok(format!(
            "{:x}{BEFORE_SIGNATURE}{}\r\n",
            data.len(),
            self.previous
        ))
    }

    /// The signed trailer, with the empty line that ends the body. Names are in lower case, in the order of
    /// `x-amz-trailer`.
    ///
    /// # Errors
    /// None with version 4.
    pub fn trailer(&mut self, fields: &[(&str, &str)]) -> Result<String, SignError> {
        let lines = |end: &str| -> String {
            fields
                .iter()
                .flat_map(|(name, value)| [name, ":", value.trim(), end])
                .collect()
        };
        self.sign("TRAILER", &sha256_hex(lines("\n").as_bytes()))?;
        Ok(format!(
            "{}{BEFORE_TRAILER}{}\r\n\r\n",
            lines("\r\n"),
            self.previous
        ))
    }

    fn sign(&mut self, of: &str, rest: &str) -> Result<(), SignError> {
        let text = format!(
            "{}-{of}\n{}\n{}\n{}\n{rest}",
            self.signer.form(),
            self.moment.full(),
            self.signer.scope(),
            self.previous
        );
        self.previous = self.signer.sign_text(text.as_bytes())?;
        Ok(())
    }
}

/// The `content-length` of a body of `length` bytes in chunks of `chunk`, with signatures, and with the trailer of
/// these fields if it has one.
#[must_use]
pub fn encoded_length(length: u64, chunk: u64, trailer: Option<&[(&str, &str)]>) -> u64 {
    let chunk = chunk.max(1);
    let framed = |length: u64| {
        let digits = u64::from(length.checked_ilog2().unwrap_or_default() / 4 + 1);
        digits + BEFORE_SIGNATURE.len() as u64 + SIGNATURE + 2 + length
    };
    let rest = match length % chunk {
        0 => 0,
        rest => framed(rest) + 2,
    };
    let trailer: u64 = trailer.map_or(0, |fields| {
        let fields = fields
            .iter()
            .map(|(name, value)| name.len() + 1 + value.trim().len() + 2);
        fields.sum::<usize>() as u64 + BEFORE_TRAILER.len() as u64 + SIGNATURE + 2
    });
    (length / chunk) * (framed(chunk) + 2) + rest + framed(0) + trailer + 2
}
