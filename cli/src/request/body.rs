//! The body of a request, and its hash.

use alter_sigv4::sign::Payload;
use aws_lc_rs::digest::{Context, SHA256};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Read, hashed and sent at once.
const CHUNK: usize = 64 << 10;

/// What is sent.
pub struct Body {
    content: Content,
    hash: String,
    /// In bytes.
    pub length: u64,
    /// What it is, unless a header says so.
    pub kind: Option<&'static str>,
}

enum Content {
    Bytes(Vec<u8>),
    /// Read twice: what is signed must be known before what is sent.
    File(File),
}

/// Why there is no body to send.
#[derive(Debug, Error)]
pub enum BodyError {
    /// A file, or standard input.
    #[error("cannot read {path}: {source}; check the name after @", path = path.display())]
    Read {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Body {
    /// What `--json` or `--data` gives: a text, a file after `@`, standard input as `@-`. A file is never in memory as a
    /// whole.
    ///
    /// # Errors
    /// [`BodyError::Read`].
    pub fn open(json: Option<&str>, data: Option<&str>) -> Result<Self, BodyError> {
        let (text, kind) = match (json, data) {
            (Some(json), _) => (json, Some("application/json")),
            // As curl has it, and as the services that take forms want it.
            (None, Some(data)) => (data, Some("application/x-www-form-urlencoded")),
            (None, None) => ("", None),
        };
        let Some(path) = text.strip_prefix('@') else {
            return Ok(Self::of_bytes(text.as_bytes().to_vec(), kind));
        };
        let read = |source| BodyError::Read {
            path: path.into(),
            source,
        };
        if path == "-" {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(read)?;
            return Ok(Self::of_bytes(bytes, kind));
        }
        Self::of_file(Path::new(path), kind).map_err(read)
    }

    fn of_bytes(bytes: Vec<u8>, kind: Option<&'static str>) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&bytes);
        Self {
            hash: hex(hash),
            length: bytes.len() as u64,
            content: Content::Bytes(bytes),
            kind,
        }
    }

    fn of_file(path: &Path, kind: Option<&'static str>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut hash, mut length) = (Context::new(&SHA256), 0);
        for chunk in Chunks(&mut file) {
            let chunk = chunk?;
            hash.update(&chunk);
            length += chunk.len() as u64;
        }
        file.rewind()?;
        Ok(Self {
            content: Content::File(file),
            hash: hex(hash),
            length,
            kind,
        })
    }

    /// What the signature says of it.
    #[must_use]
    pub fn payload(&self) -> Payload<'_> {
        Payload::Hash(&self.hash)
    }

    /// As the HTTP client takes it.
    pub(super) fn into_sent(self) -> SdkBody {
        match self.content {
            Content::Bytes(bytes) => SdkBody::from(bytes),
            Content::File(file) => {
                let chunks =
                    futures::stream::iter(Chunks(file).map(|chunk| chunk.map(Frame::data)));
                SdkBody::from_body_1_x(StreamBody::new(chunks))
            }
        }
    }
}

/// Pieces of a file.
struct Chunks<R>(R);

impl<R: Read> Iterator for Chunks<R> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = vec![0; CHUNK];
        match self.0.read(&mut chunk) {
            Ok(0) => None,
            Ok(length) => {
                chunk.truncate(length);
                Some(Ok(chunk.into()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn hex(hash: Context) -> String {
    hash.finish()
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
