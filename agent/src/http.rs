//! HTTP/1.1 on a listener, with bounds on everything that a caller can make large or slow.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::connections::{Connections, Shutdown};

/// Above every SDK's own patience; also how long a connection may idle between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The least that hyper allows. An SDK's request has about 500 bytes.
const HEADER_BYTES: usize = 8 * 1024;
const HEADERS: usize = 64;

/// Answers requests until `shutdown`. A request with a body is refused: none of them has one.
pub(crate) async fn serve<F>(listener: TcpListener, shutdown: Shutdown, respond: F)
where
    F: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + 'static,
{
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    let stop = shutdown.clone();
    Connections::new()
        .serve(shutdown, accept, |stream, place| {
            tokio::spawn(converse(stream, stop.clone(), respond.clone(), place));
        })
        .await;
}

async fn converse<F>(
    stream: TcpStream,
    mut shutdown: Shutdown,
    respond: F,
    _place: OwnedSemaphorePermit,
) where
    F: Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + 'static,
{
    // Ignored: only slower without.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| ready(Ok::<_, Infallible>(answer(&request, &respond))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Ignored: a caller that breaks off is no concern of anyone else's.
    tokio::select! {
        _ = &mut connection => return,
        _ = shutdown.wait_for(|down| *down) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn answer<F>(request: &Request<Incoming>, respond: &F) -> Response<Full<Bytes>>
where
    F: Fn(&Request<Incoming>) -> Response<Full<Bytes>>,
{
    if request.body().is_end_stream() {
        return respond(request);
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}
