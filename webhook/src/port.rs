//! The port, on which whoever reaches it may speak: how many at once, and how long without being heard.
//!
//! Requests themselves are bounded in [`crate::receive`].

use crate::{metrics::Metrics, receive::DEADLINE};
use axum::Router;
use futures::{Stream, StreamExt};
use hyper::{
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
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How many connections are served at once. An API server opens one for each review that it waits for, and
/// keeps 25 of them.
pub const CONNECTIONS: usize = 256;
/// How long the TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a request's head may take, and a connection idle before it. A review that is sent at the moment
/// of closing fails, so this is no shorter than it must be.
const IDLE: Duration = Duration::from_secs(30);
/// Of a request's head. The API server's has about 300 bytes.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// How long reviews in flight may take after the signal to end. Above the API server's own deadline.
const DRAIN: Duration = Duration::from_secs(15);

/// Serves `router` on the `accepted` connections, over TLS, until `shutdown`; then ends without
/// dropping a review.
///
/// Where all of `places` are taken the next connection waits, and those that are there end: the idle at once,
/// the others with their next answer, or soon. So nobody keeps others out by holding connections.
pub async fn serve<S>(
    mut accepted: impl Stream<Item = io::Result<S>> + Unpin,
    tls: TlsAcceptor,
    router: Router,
    places: usize,
    metrics: Metrics,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let free = Arc::new(Semaphore::new(places));
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
                metrics.connections_full();
                mem::replace(&mut told, shutdown.child_token()).cancel();
            }
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            tokio::spawn(converse(
                stream,
                tls.clone(),
                router.clone(),
                told.clone(),
                place,
            ));
        }
    };
    tokio::select! {
        () = serving => {}
        () = shutdown.cancelled() => {}
    }
    let all = u32::try_from(places).unwrap_or(u32::MAX);
    // Ignored: what takes longer is cut.
    let _ = tokio::time::timeout(DRAIN, free.acquire_many(all)).await;
}

async fn converse<S>(
    stream: S,
    tls: TlsAcceptor,
    router: Router,
    told: CancellationToken,
    _place: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else {
        tracing::debug!("a caller did not finish the TLS handshake");
        return;
    };
    let asked = CancellationToken::new();
    let (router, first) = (TowerToHyperService::new(router), asked.clone());
    let service = service_fn(move |request| {
        first.cancel();
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
        () = tokio::time::sleep(DEADLINE) => return,
    }
    connection.as_mut().graceful_shutdown();
    // Whoever takes longer does not read its answer.
    let _ = tokio::time::timeout(DEADLINE, connection).await;
}
