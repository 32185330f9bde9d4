//! Chunks signed as AWS's documentation shows them.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_sigv4::hosts::Algorithm;
use alter_sigv4::sign::{Credentials, Payload, Request, Signer, encoded_length};
use jiff::Timestamp;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    chunked: Chunked,
}

#[derive(Deserialize)]
struct Chunked {
    access_key_id: String,
    secret_access_key: String,
    chunk_sizes: Vec<usize>,
    streaming: Streaming,
    streaming_trailer: Streaming,
}

#[derive(Deserialize)]
struct Streaming {
    seed_signature: String,
    chunk_signatures: Vec<String>,
    decoded_length: Option<u64>,
    content_length: Option<u64>,
    trailer: Option<String>,
    trailer_signature: Option<String>,
}

fn vectors() -> Chunked {
    let vectors: Vectors = serde_json::from_str(include_str!("../testdata/sigv4.json")).unwrap();
    vectors.chunked
}

fn published() -> Timestamp {
    "2013-05-24T00:00:00Z".parse().unwrap()
}

fn signer(vectors: &Chunked) -> Signer {
    let credentials = Credentials {
        access_key_id: &vectors.access_key_id,
        secret_access_key: &vectors.secret_access_key,
        session_token: None,
    };
    Signer::new(
        &credentials,
        "s3",
        "us-east-1",
        Algorithm::SigV4,
        published(),
    )
    .unwrap()
}

#[test]
fn chunks_are_signed_as_published() {
    let vectors = vectors();
    let (signer, time) = (signer(&vectors), published());
    let data = vec![b'a'; 65_536];
    for example in [&vectors.streaming, &vectors.streaming_trailer] {
        let mut chunks = signer.chunks(&example.seed_signature, time).unwrap();
        let mut length = 0;
        for (size, signature) in vectors.chunk_sizes.iter().zip(&example.chunk_signatures) {
            let line = chunks.chunk(&data[..*size]).unwrap();
            assert_eq!(line, format!("{size:x};chunk-signature={signature}\r\n"));
            length += line.len() + size + 2;
        }
        if let (Some(trailer), Some(signature)) = (&example.trailer, &example.trailer_signature) {
            let fields = [trailer.trim_end().split_once(':').unwrap()];
            let text = chunks.trailer(&fields).unwrap();
            let field = trailer.trim_end();
            assert_eq!(
                text,
                format!("{field}\r\nx-amz-trailer-signature:{signature}\r\n\r\n")
            );
            // The trailer stands in place of the empty line after the last chunk.
            let length = (length - 2 + text.len()) as u64;
            assert_eq!(encoded_length(66_560, 65_536, Some(&fields)), length);
        } else {
            assert_eq!(example.content_length, Some(length as u64));
            assert_eq!(
                Some(encoded_length(
                    example.decoded_length.unwrap(),
                    65_536,
                    None
                )),
                example.content_length
            );
        }
    }
}

/// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>, whose headers the chunks
/// go on from.
#[test]
fn the_headers_before_chunks_are_signed_as_published() {
    let vectors = vectors();
    let (signer, time) = (signer(&vectors), published());
    let request = Request {
        method: "PUT",
        path: "/examplebucket/chunkObject.txt",
        query: "",
        headers: &[
            ("Host", b"s3.amazonaws.com"),
            ("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
            ("Content-Encoding", b"aws-chunked"),
            ("x-amz-decoded-content-length", b"66560"),
            ("Content-Length", b"66824"),
        ],
    };
    let carries = signer.sign(&request, Payload::Chunks, time).unwrap();
    assert_eq!(carries.signature, vectors.streaming.seed_signature);
}

proptest! {
    #[test]
    fn the_length_of_chunks_is_what_they_take(length in 0_usize..40_000, chunk in 1_usize..9_000) {
        let signer = signer(&vectors());
        let mut chunks = signer.chunks(&"0".repeat(64), published()).unwrap();
        let data = vec![0; length];
        let mut taken = chunks.chunk(&[]).unwrap().len() + 2;
        for part in data.chunks(chunk) {
            taken += chunks.chunk(part).unwrap().len() + part.len() + 2;
        }
        prop_assert_eq!(encoded_length(length as u64, chunk as u64, None), taken as u64);
    }
}
