//! The port's bounds, over connections in memory, TLS and all, on a clock that stands still but for waits.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod served;

use alter_runtime::port::{self, Bounds};
use alter_webhook::{
    metrics::Metrics,
    router::{MUTATE_PODS, VALIDATE_GRANTS},
    serve::BOUNDS,
};
use futures::{StreamExt, channel::mpsc};
use prometheus_client::registry::Registry;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use served::{Webhook, pod, review, webhook};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::Instant,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

struct Port {
    connections: mpsc::UnboundedSender<DuplexStream>,
    tls: TlsConnector,
    metrics: Registry,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    webhook: Webhook,
}

fn pair() -> (TlsAcceptor, TlsConnector) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let own = rcgen::generate_simple_self_signed(["webhook".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

fn listen(places: usize) -> Port {
    let (connections, accepted) = mpsc::unbounded();
    let (acceptor, tls) = pair();
    let mut metrics = Registry::default();
    let own = Metrics::register(&mut metrics);
    let shutdown = CancellationToken::new();
    let (webhook, told) = (webhook(), shutdown.clone());
    let router = webhook.router.clone();
    let serving = tokio::spawn(async move {
        let bounds = Bounds { places, ..BOUNDS };
        let full = || own.connections_full();
        port::serve(accepted.map(Ok), acceptor, router, bounds, full, told).await;
    });
    Port {
        connections,
        tls,
        metrics,
        shutdown,
        serving,
        webhook,
    }
}

impl Port {
    fn knock(&self) -> DuplexStream {
        let (own, other) = duplex(1 << 20);
        self.connections.unbounded_send(other).unwrap();
        own
    }

    async fn connect(&self) -> TlsStream<DuplexStream> {
        let name = "webhook".try_into().unwrap();
        self.tls.connect(name, self.knock()).await.unwrap()
    }

    fn full(&self) -> bool {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).unwrap();
        !text.contains("connections_full_total 0")
    }
}

fn question(grant: &str) -> Vec<u8> {
    let body = review("CREATE", &pod(grant)).to_string();
    let head = format!(
        "POST {MUTATE_PODS} HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

/// The status of the next answer, whose body is skipped; none where the connection is closed.
async fn status(stream: &mut TlsStream<DuplexStream>) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    head.split(' ').nth(1)?.parse().ok()
}

/// How long until the other side closes, in seconds of the test's clock.
async fn closed_after(mut stream: impl AsyncReadExt + Unpin) -> u64 {
    let started = Instant::now();
    let mut rest = Vec::new();
    // A connection that is cut ends TLS without its farewell.
    let ended = tokio::time::timeout(Duration::from_hours(1), stream.read_to_end(&mut rest));
    let _ = ended.await.expect("a connection that ends");
    started.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_review_and_closed_when_none_comes() {
    let port = listen(2);
    let mut stream = port.connect().await;
    for _ in 0..2 {
        stream.write_all(&question("bedrock")).await.unwrap();
        assert_eq!(status(&mut stream).await, Some(200));
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    assert!(closed_after(stream).await <= 30);
    assert!(!port.full());
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_or_half_of_it_is_not_listened_to_for_ever() {
    let port = listen(8);
    // No handshake.
    let silent = port.knock();
    assert!(closed_after(silent).await <= 3);
    // No head, and half of one.
    let mut half = port.connect().await;
    half.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
    assert!(closed_after(half).await <= 30);
    assert!(closed_after(port.connect().await).await <= 30);
    // A head without an end.
    let mut long = port.connect().await;
    let line = format!("X: {}\r\n", "x".repeat(20_000));
    long.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    long.write_all(line.as_bytes()).await.unwrap();
    assert_eq!(status(&mut long).await, Some(431));
    // Half of a body.
    let mut slow = port.connect().await;
    let whole = question("bedrock");
    slow.write_all(&whole[..whole.len() - 1]).await.unwrap();
    assert_eq!(status(&mut slow).await, Some(408));
    assert_eq!(closed_after(slow).await, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_all_places_keeps_nobody_out() {
    let port = listen(2);
    let (mut idle, mut half) = (port.connect().await, port.connect().await);
    idle.write_all(&question("bedrock")).await.unwrap();
    assert_eq!(status(&mut idle).await, Some(200));
    half.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
    assert!(!port.full());
    // The idle one goes at once, and its place is another's.
    let started = Instant::now();
    let mut third = port.connect().await;
    third.write_all(&question("bedrock")).await.unwrap();
    assert_eq!(status(&mut third).await, Some(200));
    assert_eq!(started.elapsed().as_secs(), 0);
    assert!(port.full());
    assert_eq!(closed_after(idle).await, 0);
    // And the one that sends nothing more soon after.
    assert!(closed_after(half).await <= 10);
}

#[tokio::test(start_paused = true)]
async fn whoever_stalls_the_handshake_goes_before_whoever_finished_it() {
    let port = listen(4);
    let mut honest = port.connect().await;
    let stalled = [port.knock(), port.knock(), port.knock()];
    let started = Instant::now();
    let mut next = port.connect().await;
    assert!(port.full() && started.elapsed() < Duration::from_secs(1));
    // The one that got through is heard still.
    honest.write_all(&question("bedrock")).await.unwrap();
    assert_eq!(status(&mut honest).await, Some(200));
    next.write_all(&question("bedrock")).await.unwrap();
    assert_eq!(status(&mut next).await, Some(200));
    for one in stalled {
        assert_eq!(closed_after(one).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_just_come_is_heard_also_when_the_places_run_out() {
    let port = listen(1);
    let mut first = port.connect().await;
    let next = port.knock();
    while !port.full() {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    first.write_all(&question("bedrock")).await.unwrap();
    assert_eq!(status(&mut first).await, Some(200));
    assert_eq!(closed_after(first).await, 0);
    let name = "webhook".try_into().unwrap();
    port.tls.connect(name, next).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_review_in_flight_is_answered_when_the_places_run_out_and_at_the_end() {
    for ends in [false, true] {
        let mut port = listen(1);
        let mut stream = port.connect().await;
        stream.write_all(&question("late")).await.unwrap();
        let (_, lookup) = port.webhook.api_server.next_request().await.unwrap();
        let next = (!ends).then(|| port.knock());
        if ends {
            port.shutdown.cancel();
        }
        while !ends && !port.full() {
            tokio::task::yield_now().await;
        }
        lookup.send_response(served::not_found());
        assert_eq!(status(&mut stream).await, Some(200));
        assert_eq!(closed_after(stream).await, 0);
        if ends {
            port.serving.await.unwrap();
        } else {
            let name = "webhook".try_into().unwrap();
            port.tls.connect(name, next.unwrap()).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_no_answer_is_cut_at_the_end() {
    let port = listen(1);
    let mut deaf = port.connect().await;
    // More answers than the connection holds.
    let questions = question("bedrock").repeat(2_000);
    let (_reads_nothing, mut writes) = tokio::io::split(&mut deaf);
    let asking = async {
        let _ = writes.write_all(&questions).await;
    };
    tokio::select! {
        () = asking => {}
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    port.shutdown.cancel();
    let started = Instant::now();
    port.serving.await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn other_paths_are_bounded_too() {
    let port = listen(1);
    let mut stream = port.connect().await;
    let head = format!(
        "POST {VALIDATE_GRANTS} HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: 524289\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(status(&mut stream).await, Some(413));
    assert_eq!(closed_after(stream).await, 0);
}
