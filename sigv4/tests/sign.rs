//! Requests that botocore has signed, signed here.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_sigv4::hosts::Algorithm;
use alter_sigv4::sign::{Credentials, Payload, Request, SignError, Signer, encoded_length};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    chunked: Chunked,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    signer: String,
    service: String,
    region: String,
    time: Timestamp,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body_b64: String,
    canonical_request: String,
    authorization: Option<String>,
    #[serde(default)]
    added_headers: BTreeMap<String, String>,
    expires: Option<u64>,
    signed_url: Option<String>,
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

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../testdata/sigv4.json")).unwrap()
}

/// `(everything before the path, path, query)`.
fn split(url: &str) -> (&str, &str, &str) {
    let authority = url.find("://").unwrap() + 3;
    let path = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    let (target, query) = url[path..].split_once('?').unwrap_or((&url[path..], ""));
    (&url[..path], target, query)
}

impl Vector {
    fn signer(&self) -> Signer {
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        Signer::new(
            &credentials,
            &self.service,
            &self.region,
            Algorithm::SigV4,
            self.time,
        )
        .unwrap()
    }

    fn with_request<T>(&self, act: impl FnOnce(&Request<'_>) -> T) -> T {
        let (before, path, query) = split(&self.url);
        let host = before.split_once("://").unwrap().1;
        let mut headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        if !self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("host"))
        {
            headers.push(("Host", host.as_bytes()));
        }
        act(&Request {
            method: &self.method,
            path,
            query,
            headers: &headers,
        })
    }
}

#[test]
fn headers_are_signed_as_botocore_signs_them() {
    let mut seen = 0;
    for vector in vectors().vectors {
        let Some(authorization) = &vector.authorization else {
            continue;
        };
        let body = STANDARD.decode(&vector.body_b64).unwrap();
        let hash = vector.added_headers.get("X-Amz-Content-SHA256");
        let payload = match hash.map(String::as_str) {
            Some("UNSIGNED-PAYLOAD") => Payload::Unsigned,
            _ => Payload::Body(&body),
        };
        let signer = vector.signer();
        let (canonical, carries) = vector.with_request(|request| {
            (
                signer
                    .canonical_request(request, payload, vector.time)
                    .unwrap(),
                signer.sign(request, payload, vector.time).unwrap(),
            )
        });
        assert_eq!(
            String::from_utf8(canonical).unwrap(),
            vector.canonical_request,
            "{}",
            vector.name
        );
        let mut headers: BTreeMap<_, _> = carries.headers.into_iter().collect();
        assert_eq!(
            headers.remove("authorization").as_ref(),
            Some(authorization),
            "{}",
            vector.name
        );
        assert!(authorization.ends_with(&carries.signature));
        // botocore puts its own time into `Date`, and does not count it among the new headers.
        headers.remove("date");
        let added = vector.added_headers.iter();
        let added: BTreeMap<String, &String> = added
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        let headers: BTreeMap<String, &String> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value))
            .collect();
        assert_eq!(headers, added, "{}", vector.name);
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn urls_are_presigned_as_botocore_presigns_them() {
    let mut seen = 0;
    for vector in vectors().vectors {
        let Some(expected) = &vector.signed_url else {
            continue;
        };
        let expires = vector.expires.unwrap();
        let query = vector
            .with_request(|request| vector.signer().presign(request, &[], expires, vector.time))
            .unwrap();
        let (before, path, _) = split(&vector.url);
        assert_eq!(
            &format!("{before}{path}?{query}"),
            expected,
            "{} by {}",
            vector.name,
            vector.signer
        );
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn chunks_are_signed_as_published() {
    let Chunked {
        access_key_id,
        secret_access_key,
        chunk_sizes,
        streaming,
        streaming_trailer,
    } = vectors().chunked;
    let credentials = Credentials {
        access_key_id: &access_key_id,
        secret_access_key: &secret_access_key,
        session_token: None,
    };
    let time = "2013-05-24T00:00:00Z".parse().unwrap();
    let signer = Signer::new(&credentials, "s3", "us-east-1", Algorithm::SigV4, time).unwrap();
    let data = vec![b'a'; 65_536];
    for example in [&streaming, &streaming_trailer] {
        let mut chunks = signer.chunks(&example.seed_signature, time).unwrap();
        let mut length = 0;
        for (size, signature) in chunk_sizes.iter().zip(&example.chunk_signatures) {
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
    let Chunked {
        access_key_id,
        secret_access_key,
        streaming,
        ..
    } = vectors().chunked;
    let credentials = Credentials {
        access_key_id: &access_key_id,
        secret_access_key: &secret_access_key,
        session_token: None,
    };
    let time = "2013-05-24T00:00:00Z".parse().unwrap();
    let signer = Signer::new(&credentials, "s3", "us-east-1", Algorithm::SigV4, time).unwrap();
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
    assert_eq!(carries.signature, streaming.seed_signature);
}

const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "ASIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: Some("the-token"),
};
const GET: Request<'_> = Request {
    method: "GET",
    path: "/",
    query: "",
    headers: &[("host", b"b.s3.amazonaws.com")],
};

fn noon() -> Timestamp {
    "2026-03-04T12:00:00Z".parse().unwrap()
}

#[test]
fn a_session_of_s3_express_has_a_header_of_its_own() {
    let signer = Signer::new(
        &CREDENTIALS,
        "s3express",
        "us-west-2",
        Algorithm::S3Express,
        noon(),
    )
    .unwrap();
    let carries = signer.sign(&GET, Payload::Unsigned, noon()).unwrap();
    let header = |name: &str| {
        carries
            .headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("x-amz-s3session-token"), Some("the-token"));
    assert_eq!(header("x-amz-security-token"), None);
    assert!(
        header("authorization")
            .unwrap()
            .contains(";x-amz-s3session-token, ")
    );
    assert!(
        signer
            .presign(&GET, &[], 60, noon())
            .unwrap()
            .contains("&X-Amz-S3session-Token=the-token&")
    );
}

#[test]
fn version_4a_names_its_regions_and_not_in_the_scope() {
    let signer = Signer::new(&CREDENTIALS, "s3", "*", Algorithm::SigV4a, noon()).unwrap();
    let carries = signer.sign(&GET, Payload::Unsigned, noon()).unwrap();
    let header = |name: &str| {
        carries
            .headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("x-amz-region-set"), Some("*"));
    let authorization = header("authorization").unwrap();
    assert!(authorization.starts_with(
        "AWS4-ECDSA-P256-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260304/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-region-set;x-amz-security-token, Signature=30"
    ));
    assert!(
        signer
            .presign(&GET, &[], 60, noon())
            .unwrap()
            .contains("&X-Amz-Region-Set=%2A&")
    );
    assert!(matches!(
        signer.sign(&GET, Payload::Chunks, noon()),
        Err(SignError::AsymmetricChunks)
    ));
    assert!(matches!(
        signer.chunks("", noon()),
        Err(SignError::AsymmetricChunks)
    ));
}

#[test]
fn version_4a_verifies_with_the_public_key() {
    let text = include_str!("../testdata/sigv4.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let key = &vectors["sigv4a_keys"][0];
    let part = |name: &str| key[name].as_str().unwrap();
    let credentials = Credentials {
        access_key_id: part("access_key_id"),
        secret_access_key: part("secret_access_key"),
        session_token: None,
    };
    let unhex = |text: &str| -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    };
    let public = [vec![4], unhex(part("public_x")), unhex(part("public_y"))].concat();
    let signer = Signer::new(&credentials, "s3", "*", Algorithm::SigV4a, noon()).unwrap();
    let canonical = signer
        .canonical_request(&GET, Payload::Unsigned, noon())
        .unwrap();
    let hash = digest(&SHA256, &canonical);
    let hash = hash
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let to_sign =
        format!("AWS4-ECDSA-P256-SHA256\n20260304T120000Z\n20260304/s3/aws4_request\n{hash}");
    let signature = unhex(
        &signer
            .sign(&GET, Payload::Unsigned, noon())
            .unwrap()
            .signature,
    );
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public);
    assert!(key.verify(to_sign.as_bytes(), &signature).is_ok());
    assert!(key.verify(b"another", &signature).is_err());
}

#[test]
fn what_cannot_be_signed_is_said() {
    let signer = Signer::new(&CREDENTIALS, "s3", "us-east-1", Algorithm::SigV4, noon()).unwrap();
    let nowhere = Request {
        headers: &[],
        ..GET
    };
    assert!(matches!(
        signer.sign(&nowhere, Payload::Unsigned, noon()),
        Err(SignError::NoHost)
    ));
    assert!(matches!(
        signer.presign(&nowhere, &[], 60, noon()),
        Err(SignError::NoHost)
    ));
    for expires in [0, 604_801] {
        assert!(matches!(
            signer.presign(&GET, &[], expires, noon()),
            Err(SignError::Expires(_))
        ));
    }
    let midnight = "2026-03-05T00:00:00Z".parse().unwrap();
    assert!(matches!(
        signer.sign(&GET, Payload::Unsigned, midnight),
        Err(SignError::OtherDay { .. })
    ));
}

#[test]
fn what_is_shown_holds_no_secret() {
    let signer = Signer::new(&CREDENTIALS, "s3", "us-east-1", Algorithm::SigV4, noon()).unwrap();
    let shown = format!("{signer:?}");
    assert!(
        shown.contains("20260304/us-east-1/s3/aws4_request"),
        "{shown}"
    );
    assert!(
        !shown.contains("the-token") && !shown.contains("wJalr"),
        "{shown}"
    );
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_of_headers_changes_nothing(
            names in prop::collection::btree_set("[a-zA-Z-]{1,12}", 1..8),
            value in "[ -~\t]{0,20}",
            turn in any::<prop::sample::Index>(),
        ) {
            prop_assume!(!names.iter().any(|name| name.eq_ignore_ascii_case("date")));
            let lower: std::collections::BTreeSet<String> = names.iter().map(|n| n.to_lowercase()).collect();
            prop_assume!(lower.len() == names.len());
            let mut headers: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), value.as_bytes())).collect();
            headers.push(("host", b"h"));
            let signer = Signer::new(&CREDENTIALS, "s3", "us-east-1", Algorithm::SigV4, noon()).unwrap();
            let sign = |headers: &[(&str, &[u8])]| {
                signer.sign(&Request { headers, ..GET }, Payload::Unsigned, noon()).unwrap().signature
            };
            let one = sign(&headers);
            let middle = turn.index(headers.len());
            headers.rotate_left(middle);
            prop_assert_eq!(sign(&headers), one);
        }

        #[test]
        fn no_request_panics(path in any::<String>(), query in any::<String>(), name in any::<String>(), value in any::<Vec<u8>>()) {
            for service in ["s3", "bedrock"] {
                let signer = Signer::new(&CREDENTIALS, service, "us-east-1", Algorithm::SigV4, noon()).unwrap();
                let headers: &[(&str, &[u8])] = &[("host", b"h"), (&name, &value), (&name, &value)];
                let request = Request { method: "GET", path: &path, query: &query, headers };
                prop_assert!(signer.sign(&request, Payload::Body(&value), noon()).is_ok());
                prop_assert!(signer.presign(&request, &value, 60, noon()).is_ok());
            }
        }

        #[test]
        fn the_length_of_chunks_is_what_they_take(length in 0_usize..40_000, chunk in 1_usize..9_000) {
            let signer = Signer::new(&CREDENTIALS, "s3", "us-east-1", Algorithm::SigV4, noon()).unwrap();
            let mut chunks = signer.chunks(&"0".repeat(64), noon()).unwrap();
            let data = vec![0; length];
            let mut taken = chunks.chunk(&[]).unwrap().len() + 2;
            for part in data.chunks(chunk) {
                taken += chunks.chunk(part).unwrap().len() + part.len() + 2;
            }
            prop_assert_eq!(encoded_length(length as u64, chunk as u64, None), taken as u64);
        }
    }
}
