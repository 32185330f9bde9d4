//! Requests signed here and by the AWS SDK's own signer, which must agree on what both sign alike.
//!
//! Its signer takes the query apart and encodes it anew, leaves other headers out, and reads a path that ends in `/.` as one
//! that ends in `/`, which botocore does not: queries here are encoded as it encodes them, headers are none of those,
//! and no path ends so.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

use alter_sigv4::hosts::Algorithm;
use alter_sigv4::sign::{Credentials, Payload, Request, Signer};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use proptest::prelude::*;
use std::time::SystemTime;

const HOST: &str = "service.us-east-1.amazonaws.com";
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Debug)]
struct Case {
    service: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    token: Option<String>,
    time: i64,
}

fn ours(case: &Case) -> String {
    let time = Timestamp::from_second(case.time).unwrap();
    let credentials = Credentials {
        access_key_id: KEY,
        secret_access_key: SECRET,
        session_token: case.token.as_deref(),
    };
    let own = case
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers: Vec<(&str, &[u8])> = own.chain([("host", HOST.as_bytes())]).collect();
    let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
    let request = Request {
        method: "POST",
        path,
        query,
        headers: &headers,
    };
    let signer = Signer::new(
        &credentials,
        case.service,
        "us-east-1",
        Algorithm::SigV4,
        time,
    )
    .unwrap();
    let carries = signer
        .sign(&request, Payload::Body(&case.body), time)
        .unwrap();
    carries
        .headers
        .into_iter()
        .find(|(name, _)| *name == "authorization")
        .unwrap()
        .1
}

fn theirs(case: &Case) -> String {
    let mut settings = SigningSettings::default();
    if case.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity =
        aws_credential_types::Credentials::new(KEY, SECRET, case.token.clone(), None, "test")
            .into();
    let time = SystemTime::from(Timestamp::from_second(case.time).unwrap());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(case.service)
        .time(time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("https://{HOST}{}", case.target);
    let headers = case
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let request =
        SignableRequest::new("POST", url, headers, SignableBody::Bytes(&case.body)).unwrap();
    let (instructions, _) = aws_sigv4::http_request::sign(request, &params)
        .unwrap()
        .into_parts();
    let found = instructions
        .headers()
        .find(|(name, _)| *name == "authorization");
    found.unwrap().1.to_owned()
}

prop_compose! {
    fn case()(
        service in prop::sample::select(&["s3", "bedrock", "sts"][..]),
        path in "(/([A-Za-z0-9_.~-]|%3A|%2F|%20|%C3%A9|[!$&'()*+,;=:@]){0,8}){1,5}",
        query in prop::collection::vec("[A-Za-z0-9_.~-]{1,6}=([A-Za-z0-9_.~-]|%2F|%20){0,6}", 0..5),
        headers in prop::collection::btree_map("x-(amz-meta|one)-[a-z0-9]{1,6}", "[!-~]( {0,3}[!-~]){0,8}", 0..4),
        body in prop::collection::vec(any::<u8>(), 0..64),
        token in prop::option::of("[A-Za-z0-9+/=]{1,40}"),
        time in 0_i64..4_000_000_000,
    ) -> Case {
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        Case { service, target: format!("{path}{query}"), headers: headers.into_iter().collect(), body, token, time }
    }
}

proptest! {
    #[test]
    fn the_sdk_signs_alike(case in case()) {
        let path = case.target.split('?').next().unwrap();
        prop_assume!(!path.ends_with("/.") && !path.ends_with("/.."));
        prop_assert_eq!(ours(&case), theirs(&case), "{} {}", case.service, case.target);
    }
}
