//! What signing costs, with the AWS SDK's own signer as the floor: `e2e/bench/run signing`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros have no docs; a benchmark stops where something fails"
)]

use alter_sigv4::hosts::{self, Algorithm};
use alter_sigv4::sign::{Credentials, Payload, Request, Signer};
use alter_sigv4::token::{self, Kind, MAX_LIFETIME};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use std::hint::black_box;
use std::time::SystemTime;

const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "ASIAIOSFODNN7EXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    session_token: Some("IQoJb3JpZ2luX2VjEEXAMPLETOKEN"),
};
const HOST: &str = "bedrock-runtime.us-west-2.amazonaws.com";
const PATH: &str = "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const REGION: &str = "us-west-2";
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn noon() -> Timestamp {
    "2026-03-04T12:00:00Z".parse().unwrap()
}

fn signer(service: &str) -> Signer {
    Signer::new(&CREDENTIALS, service, REGION, Algorithm::SigV4, noon()).unwrap()
}

fn hosts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("host");
    for host in [
        HOST,
        "my-bucket.s3.eu-central-1.amazonaws.com",
        "vpce-0123456789abcdef0-abcdefgh.sts.us-east-1.vpce.amazonaws.com",
        "sts.amazonaws.com.example.com",
    ] {
        group.bench_function(host, |bencher| {
            bencher.iter(|| hosts::scope(black_box(host)));
        });
    }
}

/// A POST of 4 KB, its body hashed.
fn headers(criterion: &mut Criterion) {
    let body = vec![b'x'; 4 * KIB];
    let time = noon();
    let request = Request {
        method: "POST",
        path: PATH,
        query: "",
        headers: &[
            ("host", HOST.as_bytes()),
            ("content-type", b"application/json"),
        ],
    };
    let mut group = criterion.benchmark_group("headers of a 4 KB POST");
    let kept = signer("bedrock");
    group.bench_function("alter, the day's key kept", |bencher| {
        bencher.iter(|| {
            kept.sign(black_box(&request), Payload::Body(&body), time)
                .unwrap()
        });
    });
    // As theirs makes it.
    group.bench_function("alter, with a new key", |bencher| {
        bencher.iter(|| {
            signer("bedrock")
                .sign(black_box(&request), Payload::Body(&body), time)
                .unwrap()
        });
    });
    let identity = aws_credential_types::Credentials::new(
        CREDENTIALS.access_key_id,
        CREDENTIALS.secret_access_key,
        CREDENTIALS.session_token.map(str::to_owned),
        None,
        "bench",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("bedrock")
        .time(SystemTime::from(time))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("https://{HOST}{PATH}");
    group.bench_function("floor: aws-sigv4", |bencher| {
        bencher.iter(|| {
            let headers = [("content-type", "application/json")].into_iter();
            let body = SignableBody::Bytes(&body);
            let request = SignableRequest::new("POST", black_box(&url), headers, body).unwrap();
            aws_sigv4::http_request::sign(request, &params).unwrap()
        });
    });
}

fn tokens(criterion: &mut Criterion) {
    criterion.bench_function("token", |bencher| {
        bencher.iter(|| {
            let region = black_box(REGION);
            token::generate(
                Kind::Bedrock,
                &CREDENTIALS,
                None,
                region,
                MAX_LIFETIME,
                noon(),
            )
            .unwrap()
        });
    });
}

/// Bodies are hashed, and chunks of 64 KB signed.
fn bodies(criterion: &mut Criterion) {
    let body = vec![b'x'; MIB];
    let signer = signer("s3");
    let request = Request {
        method: "PUT",
        path: "/key",
        query: "",
        headers: &[("host", b"bucket.s3.us-west-2.amazonaws.com")],
    };
    let mut group = criterion.benchmark_group("body");
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("hashed and signed", |bencher| {
        bencher.iter(|| {
            signer
                .sign(&request, Payload::Body(black_box(&body)), noon())
                .unwrap()
        });
    });
    group.bench_function("in signed chunks", |bencher| {
        let seed = "0".repeat(64);
        bencher.iter(|| {
            let mut chunks = signer.chunks(&seed, noon()).unwrap();
            for chunk in black_box(&body).chunks(64 * KIB) {
                black_box(chunks.chunk(chunk).unwrap());
            }
        });
    });
    group.bench_function("floor: SHA-256", |bencher| {
        bencher.iter(|| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, black_box(&body)));
    });
}

criterion_group!(benches, hosts, headers, tokens, bodies);
criterion_main!(benches);
