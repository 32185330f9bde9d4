//! Ports on loopback, and the health server that every program of Alter has.

use crate::{
    Failure,
    http::{self, Connection},
};
use std::net::{SocketAddr, TcpListener};
use tokio::net::TcpStream;

/// An address that nothing listens on, for a program that is started next.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Whether the program whose health server listens there is ready.
pub(crate) async fn is_ready(health: SocketAddr) -> bool {
    get(health, "/readyz").await.is_ok()
}

/// The body of a path of the health server.
pub(crate) async fn get(health: SocketAddr, path: &str) -> Result<String, Failure> {
    let mut connection = Connection::new(TcpStream::connect(health).await?);
    let request = http::request("GET", path, &["Host: localhost"], b"");
    let answer = connection.exchange(&request).await?;
    let body = String::from_utf8_lossy(answer.body).into_owned();
    match answer.status {
        200 => Ok(body),
        status => Err(format!("{path} answered {status}: {body}").into()),
    }
}
