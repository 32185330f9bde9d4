//! What signatures carry, and what is not signed.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_sigv4::hosts::Algorithm;
use alter_sigv4::sign::{Credentials, Payload, Request, SignError, Signer};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use jiff::Timestamp;

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
    }
}
