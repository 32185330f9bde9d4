//! What must hold for every input. `make fuzz` looks for inputs for which it does not; `tests/corpus.rs` tries those
//! that are kept.

use alter_sigv4::hosts::{self, Algorithm};
use alter_sigv4::sign::{Credentials, Payload, Request, Signer};
use alter_sigv4::token;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// Midnight, where all dates begin.
const TIME: Timestamp = Timestamp::UNIX_EPOCH;
const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "ASIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: Some("the+token/="),
};

/// The input is a host. None that AWS does not own may get a signature.
pub(crate) fn hosts(input: &[u8]) {
    let Ok(host) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(scope) = hosts::scope(host) else {
        return;
    };
    assert_eq!(
        hosts::scope(&host.to_ascii_uppercase()),
        Ok(scope),
        "{host}"
    );
    let service = scope.service;
    assert!(
        !service.is_empty()
            && service
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        "{host}: {service}"
    );
    let region = scope.region.to_string();
    assert_eq!(
        region == "*",
        scope.algorithm == Algorithm::SigV4a,
        "{host}: {region}"
    );
    // Without a port, which nothing may follow.
    if !host.contains(':') {
        let name = host.trim_end_matches('.');
        for other in [
            format!("{name}.example.com"),
            format!("{name}x"),
            format!("{name}."),
        ] {
            let answer = hosts::scope(&other);
            assert_eq!(answer.is_ok(), other.ends_with('.'), "{other}");
        }
    }
}

/// The input's lines are method, path, query, and headers up to an empty line; the rest is the body. The signature of a
/// request is the same whatever the order of its headers.
pub(crate) fn requests(input: &[u8]) {
    let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (input, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut line = || {
        lines
            .next()
            .map(String::from_utf8_lossy)
            .unwrap_or_default()
    };
    let (method, path, query) = (line(), line(), line());
    let pairs: Vec<(String, &[u8])> = lines
        .map(|line| {
            let colon = line
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            (String::from_utf8_lossy(&line[..colon]).into_owned(), value)
        })
        .collect();
    let mut headers: Vec<(&str, &[u8])> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    headers.push(("host", b"example.amazonaws.com"));
    for service in ["s3", "bedrock"] {
        let signer = Signer::new(&CREDENTIALS, service, "us-east-1", Algorithm::SigV4, TIME)
            .expect("a day that is one");
        let sign = |headers: &[(&str, &[u8])]| {
            let request = Request {
                method: &method,
                path: &path,
                query: &query,
                headers,
            };
            let presigned = signer
                .presign(&request, body, 60, TIME)
                .expect("a host is there");
            assert!(presigned.contains("X-Amz-Signature="), "{presigned}");
            for payload in [
                Payload::Unsigned,
                Payload::Chunks,
                Payload::ChunksAndTrailer,
                Payload::UnsignedChunksAndTrailer,
            ] {
                signer
                    .sign(&request, payload, TIME)
                    .expect("a host is there");
            }
            let canonical = signer
                .canonical_request(&request, Payload::Body(body), TIME)
                .expect("a host is there");
            assert!(canonical.starts_with(method.as_bytes()));
            signer
                .sign(&request, Payload::Body(body), TIME)
                .expect("a host is there")
                .signature
        };
        let signature = sign(&headers);
        let mut names: Vec<String> = headers
            .iter()
            .map(|(name, _)| name.trim().to_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        // Values of one name are signed in their order.
        if names.len() == headers.len() {
            let turned: Vec<(&str, &[u8])> = headers.iter().rev().copied().collect();
            assert_eq!(sign(&turned), signature);
        }
    }
}

/// The input is a token, or what a token is the base64 of. What is shown of it can be printed, and is not its signature.
pub(crate) fn tokens(input: &[u8]) {
    let mut texts = vec![String::from_utf8_lossy(input).into_owned()];
    for prefix in ["bedrock-api-key-", "aws-external-anthropic-api-key-"] {
        texts.push(format!("{prefix}{}", STANDARD.encode(input)));
    }
    for text in &texts {
        let Ok(decoded) = token::decode(text) else {
            continue;
        };
        for shown in [&decoded.region, &decoded.access_key_id] {
            assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{shown:?}");
        }
        assert!(decoded.issued <= decoded.expires);
    }
}
