//! The container credentials endpoint on loopback, as SDKs and others use it.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::*;

struct Endpoint {
    address: String,
    token: String,
}

impl Endpoint {
    fn of(pod: &Pod, agent: &Agent) -> Self {
        let address = agent.address("credentials endpoint");
        agent.saw("\"listening\"");
        let token = fs::read_to_string(pod.shared().join("token")).unwrap();
        Self { address, token }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// The request of an SDK, with these lines more.
    fn request(&self, path: &str, more: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: close\r\n{more}\r\n",
            self.address, self.token
        )
    }

    fn ask(&self, request: &str) -> (u16, String) {
        let answer = converse(self.connect(), request.as_bytes());
        let status = answer
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }
}

/// An agent that serves `bedrock` by endpoint.
fn start(pod: &Pod) -> (Agent, Endpoint) {
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let agent = Agent::start(pod.command("bedrock", &["--delivery", "endpoint"]));
    let endpoint = Endpoint::of(pod, &agent);
    (agent, endpoint)
}

const PATH: &str = "/v1/credentials/bedrock";

#[test]
fn a_session_is_served_and_follows_the_secret() {
    let pod = Pod::new();
    let (agent, endpoint) = start(&pod);
    let (status, body) = endpoint.ask(&endpoint.request(PATH, ""));
    assert_eq!(status, 200);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["AccessKeyId"], "ASIA1");
    assert_eq!(body["SecretAccessKey"], SECRET);
    assert_eq!(body["Token"], TOKEN);
    assert!(body["Expiration"].as_str().unwrap().ends_with('Z'));

    pod.write("bedrock", &revoked("bedrock"), None);
    agent.saw("\"refused\"");
    let (status, body) = endpoint.ask(&endpoint.request(PATH, ""));
    assert_eq!(status, 403);
    assert!(body.contains("taken away (Suspended)"), "{body}");
}

#[test]
fn the_token_is_new_random_and_without_a_newline() {
    let pod = Pod::new();
    let (mut agent, first) = start(&pod);
    assert_eq!(first.token.len(), 64);
    assert!(first.token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    agent.signal("-TERM");
    agent.ended();
    let (_agent, second) = start(&pod);
    assert_ne!(first.token, second.token);
    let old = second
        .request(PATH, "")
        .replace(&second.token, &first.token);
    assert_eq!(second.ask(&old).0, 401);
}

#[test]
fn who_does_not_know_token_and_address_gets_nothing() {
    let pod = Pod::new();
    let (_agent, endpoint) = start(&pod);
    let right = endpoint.request(PATH, "");
    let (_, port) = endpoint.address.split_once(':').unwrap();
    assert_eq!(
        endpoint.ask(&right.replace("127.0.0.1", "localhost")).0,
        200
    );
    for (request, status) in [
        (right.replace(&endpoint.token, "wrong"), 401),
        (right.replace("Authorization", "X-Other"), 401),
        (right.replace("127.0.0.1", "evil.example"), 403),
        (right.replace(&format!(":{port}"), ":80"), 403),
        (endpoint.request(PATH, "X-Forwarded-For: 10.0.0.1\r\n"), 403),
        (
            right.replace("GET /", &format!("GET http://{}/", endpoint.address)),
            403,
        ),
        (right.replace("GET", "POST"), 405),
        (endpoint.request("/v1/credentials/../bedrock", ""), 404),
        (endpoint.request("/v1/credentials/other", ""), 404),
        (endpoint.request("/metrics", ""), 404),
    ] {
        let (found, body) = endpoint.ask(&request);
        assert_eq!(found, status, "{request}\n{body}");
        assert!(!body.contains(SECRET), "{body}");
    }
    assert_eq!(endpoint.ask(&right).0, 200);
}

#[test]
fn nothing_a_caller_sends_is_too_large() {
    let pod = Pod::new();
    let (_agent, endpoint) = start(&pod);
    let long = format!("X-Long: {}\r\n", "x".repeat(20_000));
    let many = "X-Many: x\r\n".repeat(200);
    for (request, status) in [
        (endpoint.request(PATH, &long), 431),
        (endpoint.request(PATH, &many), 431),
        (
            endpoint.request(&format!("/{}", "x".repeat(20_000)), ""),
            414,
        ),
        (
            endpoint.request(PATH, "Content-Length: 5\r\n") + "12345",
            413,
        ),
        (
            endpoint.request(PATH, "Transfer-Encoding: chunked\r\n"),
            413,
        ),
        ("\x16\x03\x01\x02\x00 no http\r\n\r\n".to_owned(), 400),
    ] {
        let (found, body) = endpoint.ask(&request);
        assert!(
            found == status || found == 431 && status == 414,
            "{status} {found}"
        );
        assert!(!body.contains(SECRET), "{body}");
    }
    assert_eq!(endpoint.ask(&endpoint.request(PATH, "")).0, 200);
}

#[test]
fn idle_and_half_closed_connections_hold_nobody_up() {
    let pod = Pod::new();
    let (mut agent, endpoint) = start(&pod);
    let idle: Vec<_> = (0..200).map(|_| endpoint.connect()).collect();
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = endpoint.connect();
            stream.write_all(b"GET /v1/cre").unwrap();
            stream
        })
        .collect();
    let stream = endpoint.connect();
    (&stream)
        .write_all(endpoint.request(PATH, "").as_bytes())
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(converse(stream, b"").starts_with("HTTP/1.1 200"));

    // And a connection that stays serves again and again.
    let mut stream = endpoint.connect();
    let request = endpoint
        .request(PATH, "")
        .replace("Connection: close\r\n", "");
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        assert!(text(&answer[..length]).contains("ASIA1"));
    }

    agent.signal("-TERM");
    assert_eq!(agent.ended(), Some(0));
    drop((idle, slow));
}

#[test]
fn without_the_delivery_no_port_is_open_and_no_token_written() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let agent = Agent::start(pod.command("bedrock", &[]));
    loop {
        let line = agent.saw("{");
        assert!(!line.contains("credentials endpoint"), "{line}");
        if line.contains("\"listening\"") {
            break;
        }
    }
    assert!(!pod.shared().join("token").exists());
}

#[test]
fn the_config_file_of_the_endpoint_holds_the_region_alone() {
    let pod = Pod::new();
    let (_agent, _endpoint) = start(&pod);
    assert_eq!(
        fs::read_to_string(pod.shared().join("aws/config")).unwrap(),
        "[default]\nregion = us-east-1\n[profile bedrock]\nregion = us-east-1\n"
    );
}

#[test]
fn metrics_are_served_where_asked_for() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    pod.write("s3", &revoked("s3"), None);
    let agent = Agent::start(pod.command("bedrock,s3", &["--metrics-address", "127.0.0.1:0"]));
    let address = agent.address("\"metrics\"");
    agent.saw("\"listening\"");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    assert_refused(&pod.helper(&["s3"]));
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let text = converse(TcpStream::connect(address).unwrap(), request.as_bytes());
    for line in [
        "alter_agent_requests_total{delivery=\"process\",outcome=\"served\"} 1\n",
        "alter_agent_requests_total{delivery=\"process\",outcome=\"refused\"} 1\n",
        "alter_agent_refusals_total{grant=\"s3\",reason=\"revoked\"} 1\n",
        "alter_agent_session_expiration_timestamp_seconds{grant=\"s3\"} 0\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains(SECRET) && !text.contains("ASIA1"), "{text}");
}
