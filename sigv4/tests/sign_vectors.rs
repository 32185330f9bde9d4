//! Requests that botocore has signed, signed here.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_sigv4::hosts::Algorithm;
use alter_sigv4::sign::{Credentials, Payload, Request, Signer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
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

fn vectors() -> Vec<Vector> {
    let vectors: Vectors = serde_json::from_str(include_str!("../testdata/sigv4.json")).unwrap();
    vectors.vectors
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
    for vector in vectors() {
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
    for vector in vectors() {
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
