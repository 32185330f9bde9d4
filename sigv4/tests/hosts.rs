//! Every host of the test data: what botocore's rules and AWS's documents say of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in what the tests share"
)]

use alter_sigv4::hosts::{self, Kind};
use serde::Deserialize;
use std::{fs::File, io::Read as _, path::PathBuf};

fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(testdata(name)).unwrap()
}

/// As the rows have it: service, region, algorithm; or the refusal.
fn told(host: &str) -> String {
    match hosts::scope(host) {
        Ok(scope) => format!(
            "{}\t{}\t{}",
            scope.service,
            scope.region,
            scope.algorithm.name()
        ),
        Err(refusal) => format!("refused: {refusal}"),
    }
}

#[test]
fn every_host_has_the_scope_that_botocore_gives_it() {
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(testdata("hosts.tsv.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("host\tservice\tregion\tkind\tauth"));
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in lines {
        let [host, service, region, kind, auth] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let (expected, told) = (format!("{service}\t{region}\t{auth}"), told(host));
        if told != expected {
            wrong.push(format!("{host} ({kind}): {told}, not {expected}"));
        }
        seen += 1;
    }
    assert!(seen > 10_000);
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[derive(Deserialize)]
struct Ambiguous {
    host: String,
    scopes: Vec<PossibleScope>,
}

#[derive(Deserialize)]
struct PossibleScope {
    service: String,
    region: String,
}

#[test]
fn a_host_with_several_scopes_has_one_of_them() {
    let all: Vec<Ambiguous> = serde_json::from_str(&read("hosts-ambiguous.json")).unwrap();
    assert!(!all.is_empty());
    for Ambiguous { host, scopes } in all {
        let scope = hosts::scope(&host).unwrap_or_else(|refusal| panic!("{host}: {refusal}"));
        let has = |service: &str, region: &str| {
            scopes
                .iter()
                .any(|s| s.service == service && s.region == region)
        };
        assert!(
            has(scope.service, scope.region.as_str()),
            "{host}: {scope:?}"
        );
        if scopes.iter().any(|s| s.service != scopes[0].service) {
            for (path, service) in [
                ("/v2/x", scope.service),
                ("/maps/v0", "geo"),
                ("/v20", "geo"),
            ] {
                let here = scope.at_path(path);
                assert_eq!(here.service, service, "{host}{path}");
                assert!(has(here.service, here.region.as_str()), "{host}{path}");
            }
        } else {
            assert!(!scope.region_is_certain, "{host}");
        }
    }
}

#[derive(Deserialize)]
struct Negative {
    host: String,
    reason: String,
}

#[test]
fn what_is_no_endpoint_of_aws_is_refused() {
    let all: Vec<Negative> = serde_json::from_str(&read("hosts-negative.json")).unwrap();
    assert!(!all.is_empty());
    for Negative { host, reason } in all {
        let told = told(&host);
        assert!(told.starts_with("refused: "), "{host} ({reason}): {told}");
    }
}

/// Names that customers choose or are given, which no signature may reach unasked.
#[test]
fn names_of_customers_are_refused() {
    for host in [
        "my-alb-1234567890.us-east-1.elb.amazonaws.com",
        "internal-my-alb-1234567890.us-east-1.elb.amazonaws.com",
        "my-nlb-0123456789abcdef.elb.cn-north-1.amazonaws.com.cn",
        "ec2-203-0-113-25.us-west-2.compute.amazonaws.com",
        "ip-10-0-0-1.us-west-2.compute.internal",
        "mydb.abcdefghijkl.us-east-1.rds.amazonaws.com",
        "mycluster.abcdefghijkl.us-east-1.redshift.amazonaws.com",
        "fs-0123456789abcdef0.efs.us-east-1.amazonaws.com",
        "b-1.mycluster.abcdef.c2.kafka.us-east-1.amazonaws.com",
        "vpce-0a1b2c3d4e5f60718-abcd1234-us-east-1a.vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com",
        "vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com",
        "sts.vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com",
        "bucket.vpce-svc-0123456789abcdef0.s3.us-east-1.vpce.amazonaws.com",
        "x.sts.us-east-1.amazonaws.com",
        "sts.us-east-1.us-east-1.amazonaws.com",
        "x.us-east-1.sts.amazonaws.com",
        "us-east-1.amazonaws.com",
        "vpce.amazonaws.com",
        "us-east-1.vpce.amazonaws.com",
        "sts.us-east-1.vpce.amazonaws.com",
        "x.execute-api.us-east-1.vpce.amazonaws.com",
        "sts.cn-north-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com.cn",
        "sts.us-east-1.on.aws",
        "lambda-url.us-east-1.on.aws",
        "a.b.lambda-url.us-east-1.on.aws",
        "execute-api.us-east-1.on.aws",
        "nosuchservice.us-east-1.amazonaws.com",
        "11112222333.s3-control.us-east-1.amazonaws.com",
        "a.b.s3-accesspoint.us-east-1.amazonaws.com",
        "b.s3.us-east-1.api.aws",
        "my-bucket.s3-website.us-east-2.amazonaws.com",
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
        "us-east-1.signin.aws.amazon.com",
        "amazonaws.com.",
        "sts.us-east-1amazonaws.com",
        "iamamazonaws.com",
        "a1.iot.us-east-1.amazonaws.com",
        "amazonaws.com.evil.example",
        "s3.amazonaws.com@evil.example",
        "s3.amazonaws.com:443:443",
    ] {
        let told = told(host);
        assert!(told.starts_with("refused: "), "{host}: {told}");
    }
}

#[test]
fn a_refusal_says_whose_the_name_is() {
    for (host, says) in [
        ("x.us-east-1.elb.amazonaws.com", "load balancer"),
        ("x.elb.us-east-1.amazonaws.com", "load balancer"),
        (
            "ec2-1-2-3-4.us-west-2.compute.amazonaws.com",
            "EC2 instance",
        ),
        (
            "vpce-1-2.vpce-svc-3.us-east-1.vpce.amazonaws.com",
            "endpoint service",
        ),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "registry"),
        (
            "x.credentials.iot.us-east-1.amazonaws.com",
            "client certificate",
        ),
        ("b.s3-website-us-east-1.amazonaws.com", "website"),
        ("codecatalyst.global.api.aws", "bearer tokens"),
        ("example.com", "none of AWS's own suffixes"),
        (
            "nosuchservice.us-east-1.amazonaws.com",
            "no service is known",
        ),
    ] {
        let told = told(host);
        assert!(
            told.starts_with("refused: ") && told.contains(says),
            "{host}: {told}"
        );
    }
}

/// Forms that the test data has little of.
#[test]
fn documented_forms_of_hosts() {
    for (host, expected) in [
        ("sts.amazonaws.com", "sts\tus-east-1\tsigv4"),
        ("STS.us-east-1.AmazonAWS.com.:443", "sts\tus-east-1\tsigv4"),
        (
            "bedrock-runtime.us-west-2.amazonaws.com",
            "bedrock\tus-west-2\tsigv4",
        ),
        ("sts.xx-new-1.amazonaws.com", "refused"),
        ("sts.eu-new-9.amazonaws.com", "sts\teu-new-9\tsigv4"),
        ("s3.amazonaws.com", "s3\tus-east-1\tsigv4"),
        ("my.bucket.s3.amazonaws.com", "s3\tus-east-1\tsigv4"),
        (
            "my_Bucket.s3-us-gov-west-1.amazonaws.com",
            "s3\tus-gov-west-1\tsigv4",
        ),
        (
            "s3-fips-us-gov-west-1.amazonaws.com",
            "s3\tus-gov-west-1\tsigv4",
        ),
        (
            "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com",
            "s3\t*\tsigv4a",
        ),
        (
            "abc123.def.endpoint.events.amazonaws.com",
            "events\t*\tsigv4a",
        ),
        ("abc123.def.endpoint.events.api.aws", "events\t*\tsigv4a"),
        ("abc123.g1h.endpoints.email.amazonaws.com", "ses\t*\tsigv4a"),
        (
            "111122223333.cloudfront-kvs.global.api.aws",
            "cloudfront-keyvaluestore\t*\tsigv4a",
        ),
        (
            "b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com",
            "s3express\tus-west-2\tsigv4-s3express",
        ),
        (
            "ap--usw2-lax1-az1--xa-s3.s3express-usw2-lax1-az1.us-west-2.amazonaws.com",
            "s3express\tus-west-2\tsigv4-s3express",
        ),
        (
            "111122223333.data-kinesis.us-east-1.amazonaws.com",
            "kinesis\tus-east-1\tsigv4",
        ),
        (
            "111122223333.control-kinesis-fips.us-east-1.api.aws",
            "kinesis\tus-east-1\tsigv4",
        ),
        (
            "g-0123456789.us-east-1.neptune-graph.amazonaws.com",
            "neptune-graph\tus-east-1\tsigv4",
        ),
        (
            "g-0123456789.neptune-graph.us-east-1.on.aws",
            "neptune-graph\tus-east-1\tsigv4",
        ),
        ("queue.amazonaws.com", "sqs\tus-east-1\tsigv4"),
        ("us-west-2.queue.amazonaws.com", "sqs\tus-west-2\tsigv4"),
        (
            "aws-external-anthropic.us-west-2.api.aws",
            "aws-external-anthropic\tus-west-2\tsigv4",
        ),
        (
            "vpce-0a1b-cd12.kms-fips.us-east-1.vpce.amazonaws.com",
            "kms\tus-east-1\tsigv4",
        ),
        (
            "vpce-0a1b-cd12.git-codecommit.us-east-1.vpce.amazonaws.com",
            "codecommit\tus-east-1\tsigv4",
        ),
        (
            "vpce-0a1b-cd12-us-east-1a.s3.us-east-1.vpce.amazonaws.com",
            "s3\tus-east-1\tsigv4",
        ),
        (
            "control.vpce-1.bucket.vpce-0a1b-cd12.s3.us-east-1.vpce.amazonaws.com",
            "s3\tus-east-1\tsigv4",
        ),
    ] {
        let told = told(host);
        assert!(told.starts_with(expected), "{host}: {told}");
    }
}

#[test]
fn a_host_says_whose_it_is() {
    for (host, kind, partition, certain) in [
        ("sts.us-east-1.amazonaws.com", Kind::Service, "aws", true),
        (
            "sts.us-gov-west-1.amazonaws.com",
            Kind::Service,
            "aws-us-gov",
            true,
        ),
        ("iam.amazonaws.com", Kind::Service, "aws", true),
        (
            "b.s3.cn-north-1.amazonaws.com.cn",
            Kind::Resource,
            "aws-cn",
            true,
        ),
        (
            "b.s3-accelerate.amazonaws.com",
            Kind::Resource,
            "aws",
            false,
        ),
        ("b.s3.amazonaws.com", Kind::Resource, "aws", false),
        (
            "vpce-0a1b-cd12.sts.us-east-1.vpce.amazonaws.com",
            Kind::PrivateLink,
            "aws",
            true,
        ),
        (
            "x.lambda-url.us-gov-west-1.on.aws",
            Kind::Resource,
            "aws-us-gov",
            true,
        ),
    ] {
        let scope = hosts::scope(host).unwrap_or_else(|refusal| panic!("{host}: {refusal}"));
        let told = (scope.kind, scope.partition, scope.region_is_certain);
        assert_eq!(told, (kind, partition, certain), "{host}");
    }
}
