//! Requests as botocore serializes them, and the actions that they need.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in what the tests share"
)]

use alter_sigv4::actions;
use alter_sigv4::hosts;
use alter_sigv4::sign::Request;
use std::{fs::File, io::Read as _, path::Path};

/// S3's operations and what allows them; those that nothing here tells are left out.
const S3: &str = include_str!("../testdata/s3-actions.tsv");
/// Requests, and what they need.
const CASES: &str = include_str!("../testdata/actions.tsv");

/// A file's rows, without the names of its columns.
fn rows<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    text.lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

/// Operations with an action of another name.
const OTHERS: &[(&str, &str, &str)] = &[
    ("bedrock", "Converse", "InvokeModel"),
    ("bedrock", "ConverseStream", "InvokeModelWithResponseStream"),
    ("lambda", "Invoke", "InvokeFunction"),
    ("lambda", "InvokeAsync", "InvokeFunction"),
    ("lambda", "InvokeWithResponseStream", "InvokeFunction"),
    ("lambda", "GetLayerVersionByArn", "GetLayerVersion"),
];

/// One request, and what it needs: `service:Name resource`, with ` + ` between.
fn told(
    host: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &[u8])],
    body: Option<&[u8]>,
) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let scope = hosts::scope(host).unwrap_or_else(|refusal| panic!("{host}: {refusal}"));
    let request = Request {
        method,
        path,
        query,
        headers,
    };
    match actions::actions(&scope, host, &request, body) {
        Ok(actions) => {
            let each = actions.iter().map(|action| match &action.resource {
                Some(resource) => format!("{action} {resource}"),
                None => action.to_string(),
            });
            each.collect::<Vec<_>>().join(" + ")
        }
        Err(untold) => format!("{untold:?}"),
    }
}

#[test]
fn every_operation_is_told_from_botocores_request_for_it() {
    let mut text = String::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/requests.tsv.gz");
    flate2::read::GzDecoder::new(File::open(file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in text.lines().skip(1) {
        let [
            host,
            service,
            method,
            path,
            query,
            target,
            kind,
            body,
            copy,
            operation,
        ] = line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        let all = [
            ("x-amz-target", target),
            ("content-type", kind),
            ("x-amz-copy-source", copy),
        ];
        let headers: Vec<(&str, &[u8])> = all
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let Ok(scope) = hosts::scope(host) else {
            // Of a service that takes tokens alone.
            continue;
        };
        // Goes to another host, which the rules do not know without the route that it answers.
        if operation == "WriteGetObjectResponse" {
            continue;
        }
        assert_eq!(scope.at_path(path).service, service, "{host}");
        let told = told(host, method, &target, &headers, Some(body.as_bytes()));
        let name = told
            .split([' ', '+'])
            .next()
            .unwrap_or_default()
            .split_once(':')
            .map_or("", |(_, name)| name);
        let known = rows(S3)
            .find(|[other, _]| *other == operation)
            .map(|[_, action]| action);
        let other = OTHERS
            .iter()
            .find(|(s, o, _)| (*s, *o) == (service, operation))
            .map(|(.., action)| *action);
        let expected = match service {
            "s3" if host.starts_with("s3.") && operation == "CreateSession" => "CreateSession",
            "s3" if host.starts_with("s3.") => known.unwrap_or_default(),
            "apigateway" => method,
            _ => other.unwrap_or(operation),
        };
        if name != expected {
            wrong.push(format!(
                "{service} {operation}: {method} {target} on {host}: {told}"
            ));
        }
        seen += 1;
    }
    assert!(seen > 10_000, "{seen}");
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

const BEDROCK: &str = "bedrock-runtime.us-west-2.amazonaws.com";
const SECRETS: &str = "secretsmanager.eu-west-1.amazonaws.com";

#[test]
fn actions_and_resources_are_named() {
    let mut seen = 0;
    for [host, method, target, expected] in rows(CASES) {
        assert_eq!(
            told(host, method, target, &[], None),
            expected,
            "{method} {host}{target}"
        );
        seen += 1;
    }
    assert!(seen > 25);
}

#[test]
fn a_secret_is_named_in_the_body() {
    let secret = |body: &str| {
        let headers: &[(&str, &[u8])] = &[("X-Amz-Target", b"secretsmanager.GetSecretValue")];
        told(SECRETS, "POST", "/", headers, Some(body.as_bytes()))
    };
    assert_eq!(
        secret(r#"{"SecretId":"team/one"}"#),
        "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:*:secret:team/one-??????"
    );
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:one-AbCdEf";
    assert_eq!(
        secret(&format!(r#"{{"SecretId":"{arn}"}}"#)),
        format!("secretsmanager:GetSecretValue {arn}")
    );
    for unclear in [
        "",
        "{}",
        r#"{"SecretId":"one","SecretId":"two"}"#,
        r#"{"SecretId":7}"#,
    ] {
        assert_eq!(
            secret(unclear),
            "secretsmanager:GetSecretValue",
            "{unclear}"
        );
    }
}

#[test]
fn a_copy_reads_and_writes() {
    let copy = |method, target, source: &[u8]| {
        told(
            "b.s3.us-east-1.amazonaws.com",
            method,
            target,
            &[("x-amz-copy-source", source)],
            None,
        )
    };
    let read = "s3:PutObject arn:aws:s3:::b/k + s3:GetObject";
    assert_eq!(
        copy("PUT", "/k", b"/from/a%2Fb"),
        format!("{read} arn:aws:s3:::from/a/b")
    );
    assert_eq!(
        copy("PUT", "/k", b"from/a?versionId=2"),
        format!("{read}Version arn:aws:s3:::from/a")
    );
    assert_eq!(
        copy(
            "PUT",
            "/k",
            b"arn:aws:s3:us-east-1:111122223333:accesspoint/p/object/k"
        ),
        read
    );
    assert_eq!(copy("GET", "/k", b"from/a"), "Ambiguous");
    assert_eq!(copy("PUT", "/k?acl", b"from/a"), "Ambiguous");
}

/// What one reader takes for this and another for that is nothing.
#[test]
fn a_request_that_says_two_things_is_told_as_none() {
    const GET: (&str, &[u8]) = ("X-Amz-Target", b"AmazonSQS.GetQueueUrl");
    const SEND: (&str, &[u8]) = ("x-amz-target", b"AmazonSQS.SendMessage");
    const FORM: (&str, &[u8]) = ("content-type", b"application/x-www-form-urlencoded");
    const SQS: &str = "sqs.us-east-1.amazonaws.com";
    const STS: &str = "sts.us-east-1.amazonaws.com";
    for (host, target, headers, body, expected) in [
        (SQS, "/", &[SEND][..], None, "sqs:SendMessage"),
        (SQS, "/", &[GET, SEND], None, "Ambiguous"),
        (SQS, "/?Action=DeleteQueue", &[SEND], None, "Ambiguous"),
        (
            SQS,
            "/",
            &[SEND, FORM],
            Some("Action=DeleteQueue"),
            "Ambiguous",
        ),
        (
            SQS,
            "/",
            &[FORM],
            Some("Action=DeleteQueue&Version=1"),
            "sqs:DeleteQueue",
        ),
        (
            SQS,
            "/",
            &[("x-amz-target", b"Other.SendMessage")],
            None,
            "Operation",
        ),
        (SQS, "/x", &[SEND], None, "Operation"),
        (SECRETS, "/?Action=ListSecrets", &[SEND], None, "Ambiguous"),
        (STS, "/", &[FORM], None, "Body"),
        (STS, "/", &[], Some("Action=AssumeRole"), "sts:AssumeRole"),
        (
            STS,
            "/?Action=GetCallerIdentity",
            &[FORM],
            Some("Action=AssumeRole"),
            "Ambiguous",
        ),
        (STS, "/", &[SEND], None, "Operation"),
        // A target means nothing to a service that is told by the path.
        (
            BEDROCK,
            "/model/a.b/converse",
            &[SEND],
            None,
            "bedrock:InvokeModel arn:aws:bedrock:us-west-2::foundation-model/a.b",
        ),
        (
            BEDROCK,
            "/model/a.b/../../x/converse",
            &[],
            None,
            "Operation",
        ),
        (BEDROCK, "/model/%2e%2e/converse", &[], None, "Operation"),
        (BEDROCK, "//model/a.b/converse", &[], None, "Operation"),
        (BEDROCK, "/model/a.b/%63onverse", &[], None, "Operation"),
        (
            "x.us-east-1.aoss.amazonaws.com",
            "/_search",
            &[],
            None,
            "Operation",
        ),
    ] {
        let told = told(host, "POST", target, headers, body.map(str::as_bytes));
        assert_eq!(told, expected, "{host}{target}");
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_request_panics(
            method in "GET|PUT|POST|DELETE|[A-Z]{0,8}",
            path in any::<String>(),
            close in "(/[a-z{}%0-9.+-]{0,12}){0,6}",
            query in any::<String>(),
            value in any::<Vec<u8>>(),
        ) {
            for host in [BEDROCK, SECRETS, "lambda.us-east-1.amazonaws.com", "sts.amazonaws.com", "b.s3.amazonaws.com", "s3.amazonaws.com",
                "1.s3-control.us-east-1.amazonaws.com", "ses.us-east-1.amazonaws.com"] {
                let Ok(scope) = hosts::scope(host) else { continue };
                for path in [&path, &close] {
                    let headers: &[(&str, &[u8])] = &[("x-amz-target", &value), ("x-amz-copy-source", &value)];
                    let request = Request { method: &method, path, query: &query, headers };
                    for body in [None, Some(&value[..])] {
                        if let Ok(told) = actions::actions(&scope, host, &request, body) {
                            prop_assert!(!told.is_empty());
                        }
                    }
                }
            }
        }
    }
}
