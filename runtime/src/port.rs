//! A port over TLS, on which whoever reaches it may speak: how many at once, and how long without being heard.
//!
//! What a request may hold, and how long it may take, is up to the router.

use axum::Router;
use futures::{Stream, StreamExt, stream};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, mem, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long the TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// The same once the connection is told to end: whoever is at it gets through, and whoever stalls it does not stay.
const LAST_HANDSHAKE: Duration = Duration::from_millis(500);
/// How long a request's head may take, and a connection idle before it. What is sent at the moment of closing
/// fails, so this is no shorter than it must be.
const IDLE: Duration = Duration::from_secs(30);
/// Of a request's head. An API server's has about 300 bytes, one with a service account's token 2 KiB.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;

/// What a port allows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many connections are served at once.
    pub places: usize,
    /// How long a connection that is told to end may take for the request that it has begun.
    pub patience: Duration,
    /// How long requests in flight may take after the signal to end.
    pub drain: Duration,
}

/// Tells a request's handler, as an extension of the request, that its connection is to end: an answer that
/// waits for something should come now.
#[derive(Clone, Debug)]
pub struct Ending(pub CancellationToken);

/// The connections of a listener, as [`serve`] takes them.
pub fn accepted(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> + Unpin {
    stream::poll_fn(move |cx| {
        let accepted = listener.poll_accept(cx);
        accepted
            .map_ok(|(stream, _)| {
                // Ignored: only slower without.
                let _ = stream.set_nodelay(true);
                stream
            })
            .map(Some)
    })
}

/// Serves `router` on the `accepted` connections, over TLS, until `shutdown`; then ends without dropping a
/// request. `full` is called for each connection that finds no place.
///
/// Where all of the places are taken the next connection waits, and those that are there end: the idle at once,
/// the others with their next answer, or soon, and who has not finished the TLS handshake sooner still. So nobody keeps others out by holding connections.
pub async fn serve<S>(
    mut accepted: impl Stream<Item = io::Result<S>> + Unpin,
    tls: TlsAcceptor,
    router: Router,
    bounds: Bounds,
    full: impl Fn(),
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let free = Arc::new(Semaphore::new(bounds.places));
    let serving = async {
        let mut told = shutdown.child_token();
        while let Some(stream) = accepted.next().await {
            let stream = match stream {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Out of file descriptors, most likely: give others the time to end.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if free.available_permits() == 0 {
                full();
                mem::replace(&mut told, shutdown.child_token()).cancel();
            }
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            let connection = converse(stream, tls.clone(), router.clone(), told.clone(), bounds);
            tokio::spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = serving => {}
        () = shutdown.cancelled() => {}
    }
    let all = u32::try_from(bounds.places).unwrap_or(u32::MAX);
    // Ignored: what takes longer is cut.
    let _ = tokio::time::timeout(bounds.drain, free.acquire_many(all)).await;
}

async fn converse<S>(
    stream: S,
    tls: TlsAcceptor,
    router: Router,
    told: CancellationToken,
    bounds: Bounds,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let told_for_a_while = async {
        told.cancelled().await;
        tokio::time::sleep(LAST_HANDSHAKE).await;
    };
    let shaken = tokio::select! {
        answer = tls.accept(stream) => answer.ok(),
        () = tokio::time::sleep(HANDSHAKE) => None,
        () = told_for_a_while => None,
    };
    let Some(stream) = shaken else {
        tracing::debug!("a caller did not finish the TLS handshake");
        return;
    };
    let asked = CancellationToken::new();
    let (router, first) = (TowerToHyperService::new(router), asked.clone());
    let ending = Ending(told.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        first.cancel();
        request.extensions_mut().insert(ending.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Ignored: a caller that breaks off is no concern of anyone else's.
    tokio::select! {
        _ = &mut connection => return,
        () = told.cancelled() => {}
    }
    // A caller that has just come may say what it came for.
    tokio::select! {
        _ = &mut connection => return,
        () = asked.cancelled() => {}
        () = tokio::time::sleep(bounds.patience) => return,
    }
    connection.as_mut().graceful_shutdown();
    // Whoever takes longer does not read its answer.
    let _ = tokio::time::timeout(bounds.patience, connection).await;
}
