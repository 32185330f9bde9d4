//! Tokens that the vendors' packages have made, made here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in what the tests share"
)]

use alter_sigv4::sign::Credentials;
use alter_sigv4::token::{self, DecodeError, Kind, MAX_LIFETIME, TokenError};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    validation: Vec<Validation>,
}

#[derive(Deserialize)]
struct Vector {
    package: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    region: String,
    lifetime_seconds: i64,
    time: Timestamp,
    token: String,
}

#[derive(Deserialize)]
struct Validation {
    package: String,
    case: String,
    error: Option<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../testdata/tokens.json")).unwrap()
}

fn kind(package: &str) -> Kind {
    match package {
        "external-anthropic" => Kind::Anthropic,
        "bedrock" => Kind::Bedrock,
        other => panic!("{other}"),
    }
}

const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "ASIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: Some("the-token"),
};

fn noon() -> Timestamp {
    "2026-03-04T12:00:00Z".parse().unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn tokens_are_those_of_the_vendors_packages() {
    let vectors = vectors().vectors;
    assert!(!vectors.is_empty());
    for vector in vectors {
        let credentials = Credentials {
            access_key_id: &vector.access_key_id,
            secret_access_key: &vector.secret_access_key,
            session_token: vector.session_token.as_deref(),
        };
        let lifetime = SignedDuration::from_secs(vector.lifetime_seconds);
        let kind = kind(&vector.package);
        let token = token::generate(
            kind,
            &credentials,
            None,
            &vector.region,
            lifetime,
            vector.time,
        )
        .unwrap();
        assert_eq!(*token.text, vector.token);
        assert_eq!(token.expires, vector.time + lifetime);
        let decoded = token::decode(&format!(" {}\n", vector.token)).unwrap();
        assert_eq!(decoded.kind, kind);
        assert_eq!(decoded.region, vector.region);
        assert_eq!(decoded.access_key_id, vector.access_key_id);
        assert_eq!(decoded.is_of_session, vector.session_token.is_some());
        assert_eq!(
            (decoded.issued, decoded.expires),
            (vector.time, vector.time + lifetime)
        );
    }
}

/// The packages also take half a second, which they sign for none, and one of them a region without a name.
#[test]
fn what_the_vendors_packages_refuse_is_refused() {
    for Validation {
        package,
        case,
        error,
    } in vectors().validation
    {
        let seconds: Option<f64> = case
            .strip_prefix("expiry=")
            .map(|s| s.trim_end_matches('s').parse().unwrap());
        let lifetime = seconds.map_or(hours(1), SignedDuration::from_secs_f64);
        let region = if seconds.is_some() { "us-east-1" } else { "" };
        let token = token::generate(kind(&package), &CREDENTIALS, None, region, lifetime, noon());
        let refused = match token.err() {
            Some(TokenError::Lifetime(_)) => seconds.is_some(),
            Some(TokenError::Region(_)) => seconds.is_none(),
            _ => false,
        };
        assert!(refused, "{package}: {case}: {error:?}");
    }
}

#[test]
fn a_token_ends_with_its_credentials() {
    let expires = |credentials_expire, lifetime| {
        token::generate(
            Kind::Bedrock,
            &CREDENTIALS,
            credentials_expire,
            "us-east-1",
            lifetime,
            noon(),
        )
        .map(|token| token.expires)
    };
    assert_eq!(expires(None, MAX_LIFETIME).unwrap(), noon() + hours(12));
    assert_eq!(
        expires(Some(noon() + hours(1)), MAX_LIFETIME).unwrap(),
        noon() + hours(1)
    );
    assert_eq!(
        expires(Some(noon() + hours(2)), hours(1)).unwrap(),
        noon() + hours(1)
    );
    assert!(matches!(
        expires(Some(noon()), hours(1)),
        Err(TokenError::Expired(_))
    ));
}

#[test]
fn regions_that_are_none_are_refused() {
    for region in ["", "*", "us east", "us-east-1&x=1", "US-EAST-1"] {
        let token = token::generate(
            Kind::Anthropic,
            &CREDENTIALS,
            None,
            region,
            hours(1),
            noon(),
        );
        assert!(matches!(token, Err(TokenError::Region(_))), "{region}");
    }
}

#[test]
fn what_is_no_token_is_refused_without_a_word_of_it() {
    let token = &vectors().vectors[0].token;
    let cut = &token[..token.len() - 8];
    for (text, error) in [
        ("", DecodeError::Kind),
        ("sk-ant-api03-x", DecodeError::Kind),
        ("ABSKQmVkcm9ja0FQSUtleS1", DecodeError::LongTerm),
        ("AEAAx", DecodeError::LongTerm),
        ("bedrock-api-key-", DecodeError::Malformed),
        ("bedrock-api-key-!", DecodeError::Malformed),
        ("bedrock-api-key-YWJj", DecodeError::Malformed),
        (cut, DecodeError::Malformed),
    ] {
        assert_eq!(token::decode(text), Err(error), "{text}");
    }
    let other = token.replace("aws-external-anthropic-api-key-", "bedrock-api-key-");
    assert_eq!(token::decode(&other), Err(DecodeError::Malformed));
}

#[test]
fn a_token_of_another_service_is_none() {
    use base64::Engine as _;
    let standard = base64::engine::general_purpose::STANDARD;
    let token = &vectors().vectors[0].token;
    let (prefix, encoded) = token.split_at("aws-external-anthropic-api-key-".len());
    let url = String::from_utf8(standard.decode(encoded).unwrap()).unwrap();
    for (from, to) in [
        ("%2Faws-external-anthropic%2F", "%2Fsts%2F"),
        ("CallWithBearerToken", "GetCallerIdentity"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("&Version=1", ""),
        ("X-Amz-Expires=43200", "X-Amz-Expires=soon"),
        ("20260102T030405Z", "20261302T030405Z"),
        ("AKIDEXAMPLE%2F", "AKID%0AEXAMPLE%2F"),
    ] {
        let other = url.replace(from, to);
        assert_ne!(other, url);
        let text = format!("{prefix}{}", standard.encode(other));
        assert_eq!(token::decode(&text), Err(DecodeError::Malformed), "{to}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), bytes in any::<Vec<u8>>(), query in "[A-Za-z0-9%=&-]{0,80}") {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = token::decode(&text);
        let _ = token::decode(&format!("bedrock-api-key-{}", encode(&bytes)));
        let _ = token::decode(&format!("bedrock-api-key-{}", encode(format!("bedrock.amazonaws.com/?{query}").as_bytes())));
    }
}
