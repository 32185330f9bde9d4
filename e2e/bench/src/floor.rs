//! The floor of a server: hyper alone, answering constant bytes, on the sockets, TLS and runtime that
//! the measured program uses. It runs as a process of its own, as that program does.

use crate::{Failure, program::Program, tls};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    convert::Infallible,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// The arguments of a floor.
#[derive(clap::Args)]
pub(crate) struct Floor {
    /// Where to listen.
    #[arg(long)]
    address: SocketAddr,
    /// The body of every answer.
    #[arg(long)]
    body: PathBuf,
    /// A folder with certificate and key: TLS.
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Threads of the runtime; with 1, everything runs on the main thread.
    #[arg(long)]
    pub(crate) threads: usize,
}

/// A running floor.
pub(crate) struct Running {
    /// Its process.
    pub(crate) program: Program,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// Starts this program again, as a floor that answers `body`.
pub(crate) async fn start(
    body: &[u8],
    tls: Option<&Path>,
    threads: usize,
    folder: &Path,
) -> Result<Running, Failure> {
    let file = folder.join("floor-body");
    fs::write(&file, body)?;
    let address = crate::loopback::free_address()?;
    let mut command = Command::new(env::current_exe()?);
    command
        .args([
            "floor",
            "--address",
            &address.to_string(),
            "--threads",
            &threads.to_string(),
        ])
        .arg("--body")
        .arg(file);
    if let Some(tls) = tls {
        command.arg("--tls").arg(tls);
    }
    let mut program = Program::start("floor", &mut command, folder)?;
    program
        .ready(async || TcpStream::connect(address).await.is_ok())
        .await?;
    Ok(Running { program, address })
}

/// Serves until the process ends.
pub(crate) async fn serve(floor: Floor) -> Result<(), Failure> {
    let body = Bytes::from(fs::read(&floor.body)?);
    let tls = floor.tls.as_deref().map(acceptor).transpose()?;
    let listener = TcpListener::bind(floor.address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (body, tls) = (body.clone(), tls.clone());
        tokio::spawn(async move {
            // A client that goes away ends its connection with an error, which concerns nobody.
            match tls {
                None => drop(answer(stream, body).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(answer(stream, body).await);
                    }
                }
            }
        });
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    body: Bytes,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request: Request<Incoming>| {
        let body = body.clone();
        async move {
            // What the measured program reads is read here too.
            drop(request.into_body().collect().await);
            let mut response = Response::new(Full::new(body));
            response.headers_mut().insert(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/json"),
            );
            Ok::<_, Infallible>(response)
        }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn acceptor(folder: &Path) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(folder.join(tls::CERTIFICATE))?;
    let key = PrivateKeyDer::from_pem_file(folder.join(tls::KEY))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>()?, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
