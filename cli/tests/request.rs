//! `alter request`.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod program;

use program::{alter, text};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

/// Answers one request on loopback; gives back its head and body as they came.
fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<(String, Vec<u8>)>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        (head, body)
    });
    (host, served)
}

#[test]
fn a_request_is_signed_and_sent_and_its_answer_printed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("body");
    std::fs::write(&file, vec![b'x'; 200_000]).unwrap();
    let (host, served) = serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let url = format!("http://{host}/bucket/a%20b//c?x=1");
    let data = format!("@{}", file.display());
    let args = [
        "request",
        "put",
        &url,
        "--data",
        &data,
        "--header",
        "X-Amz-Meta-One: 1",
        "-H",
        "content-type:text/plain",
        "--service",
        "s3",
        "--region",
        "us-west-1",
        "--profile",
        "helped",
    ];
    let answered = alter(home.path(), &args, &[], "");
    let (head, body) = served.join().unwrap();
    assert_eq!(
        (answered.status.code(), text(&answered.stdout)),
        (Some(0), "hello"),
        "{}",
        text(&answered.stderr)
    );
    assert_eq!(body.len(), 200_000);
    assert!(
        head.starts_with("PUT /bucket/a%20b//c?x=1 HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    for header in [
        "content-type: text/plain\r\n",
        "x-amz-meta-one: 1\r\n",
        "x-amz-security-token: helped-token\r\n",
        "x-amz-content-sha256: 91e3faafd322bcdf160f3f0ce886acb092b9b9e2a1e8526b40f21a8898a8700b\r\n",
        "credential=asiahelped/",
        "/us-west-1/s3/aws4_request, signedheaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;\
         x-amz-meta-one;x-amz-security-token, signature=",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
}

#[test]
fn an_error_of_aws_is_printed_and_is_22() {
    let home = tempfile::tempdir().unwrap();
    let (host, served) =
        serve("HTTP/1.1 403 Forbidden\r\ncontent-length: 14\r\n\r\n<AccessDenied>");
    let url = format!("http://{host}/");
    let args = [
        "request",
        "POST",
        &url,
        "--json",
        "@-",
        "--service",
        "sts",
        "--region",
        "us-east-1",
    ];
    let answered = alter(home.path(), &args, &[], "{}");
    let (head, body) = served.join().unwrap();
    assert_eq!(
        (answered.status.code(), text(&answered.stdout)),
        (Some(22), "<AccessDenied>")
    );
    assert!(text(&answered.stderr).contains("403"));
    assert!(
        head.to_ascii_lowercase()
            .contains("content-type: application/json\r\n"),
        "{head}"
    );
    assert_eq!(body, b"{}");
}

#[test]
fn a_dry_run_shows_all_but_the_secrets_and_sends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let url = "https://bedrock-runtime.us-west-2.amazonaws.com/model/a%3A0/converse";
    let args = [
        "request",
        "POST",
        url,
        "--json",
        "{}",
        "--dry-run",
        "--profile",
        "helped",
    ];
    let shown = alter(home.path(), &args, &[], "");
    let shown = text(&shown.stdout);
    assert!(
        shown.starts_with("POST\n/model/a%253A0/converse\n\ncontent-length:2\n"),
        "{shown}"
    );
    assert!(
        shown.contains("/us-west-2/bedrock/aws4_request, SignedHeaders="),
        "{shown}"
    );
    assert!(
        shown.contains("x-amz-security-token: (the session token)"),
        "{shown}"
    );
    assert!(
        !shown.contains("helped-token") && !shown.contains("helped-secret"),
        "{shown}"
    );
}

#[test]
fn a_request_that_cannot_be_signed_or_sent_says_why() {
    let home = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["https://example.com/"][..], "none of AWS's own suffixes"),
        (&["https://example.com/", "--service", "s3"], "--region"),
        (&["https://x.us-east-1.elb.amazonaws.com/"], "load balancer"),
        (&["sts.amazonaws.com"], "https://"),
        (&["ftp://sts.amazonaws.com/"], "https://"),
        (&["https://key:secret@sts.amazonaws.com/"], "a user"),
        (&["https://sts.amazonaws.com/a b"], "no URL"),
        (
            &["https://sts.amazonaws.com/", "--header", "nothing"],
            "Name: value",
        ),
        (
            &["https://sts.amazonaws.com/", "--data", "@/nowhere/at/all"],
            "/nowhere/at/all",
        ),
        (
            &["https://b.s3express-use1-az4.us-east-1.amazonaws.com/k"],
            "session of S3 Express",
        ),
        (
            &[
                "http://127.0.0.1:9/",
                "--service",
                "s3",
                "--region",
                "us-east-1",
            ],
            "no answer from 127.0.0.1:9",
        ),
    ] {
        let args: Vec<&str> = ["request", "GET"].iter().chain(args).copied().collect();
        let failed = alter(home.path(), &args, &[], "");
        let said = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{args:?}: {said}");
        assert!(
            said.contains(says) && !said.contains("secret"),
            "{args:?}: {said}"
        );
    }
}
