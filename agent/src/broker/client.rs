//! One question to the broker, over a connection that is kept for the next.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use alter_protocol::broker::{Answer, MessageError, PATH, PATIENCE, Problem, Question};
use alter_protocol::pod::{BROKER_CA, BROKER_TOKEN};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::{Authority, Uri};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::tls::{self, TlsError};

/// How long it may take to be connected.
const CONNECT: Duration = Duration::from_secs(10);
/// How long after the end of the broker's own patience an answer may come.
const GRACE: Duration = Duration::from_secs(10);
/// Of an answer: 64 grants with sessions of some 3 KiB.
const LIMIT: usize = 1 << 20;

/// Where the broker is, and what it is asked with.
#[derive(Clone, Debug)]
pub struct Address {
    /// The broker's URL.
    pub url: Url,
    /// The folder with the token and the CAs.
    pub folder: PathBuf,
}

/// An https URL of which host and port count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(Authority);

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Option<Uri> = text.parse().ok();
        let uri = uri.filter(|uri| uri.scheme_str() == Some("https"));
        uri.and_then(|uri| uri.authority().cloned())
            .map(Self)
            .ok_or_else(|| {
                "no https URL: write one such as https://alter-broker.alter-system.svc:9914"
                    .to_owned()
            })
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("cannot read the pod's token {path}: {source}", path = path.display())]
    Token { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot connect to {to}: {source}")]
    Connect { to: String, source: io::Error },
    #[error("cannot connect to {to} within {} s", CONNECT.as_secs())]
    ConnectTimeout { to: String },
    #[error("the connection to {to} broke: {source}")]
    Broke { to: String, source: hyper::Error },
    #[error("{to} did not answer in time")]
    Timeout { to: String },
    #[error("{to} said {status}: {message}")]
    Problem {
        to: String,
        status: StatusCode,
        message: String,
    },
    #[error("{to} gave an answer that is too large or broke off")]
    Body { to: String },
    #[error("{to} answered with {source}; it may be of another version")]
    Message { to: String, source: MessageError },
}

pub(crate) struct Client {
    address: Address,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: Address) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    /// Asks; the answer may take as long as the broker holds questions.
    pub(crate) async fn ask(&mut self, question: &Question) -> Result<Answer, AskError> {
        let request = self.request(question)?;
        let response = self.send(request).await?;
        let status = response.status();
        let mut body = Limited::new(response.into_body(), LIMIT);
        let failed = || AskError::Body { to: self.to() };
        let mut text = Zeroizing::new(Vec::with_capacity(8 * 1024));
        let reading = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| failed())?;
                text.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
            }
            Ok(())
        };
        let read = tokio::time::timeout(GRACE, reading).await;
        read.unwrap_or_else(|_| Err(failed()))?;
        if status != StatusCode::OK {
            let problem: Option<Problem> = serde_json::from_slice(&text).ok();
            return Err(AskError::Problem {
                to: self.to(),
                status,
                message: problem.map_or_else(String::new, |own| own.message),
            });
        }
        Answer::from_json(&text).map_err(|source| AskError::Message {
            to: self.to(),
            source,
        })
    }

    /// With the token as it now is: the kubelet renews it.
    fn request(&self, question: &Question) -> Result<Request<Full<Bytes>>, AskError> {
        let path = self.address.folder.join(BROKER_TOKEN);
        let failed = |source| AskError::Token {
            path: path.clone(),
            source,
        };
        let token = Zeroizing::new(std::fs::read_to_string(&path).map_err(failed)?);
        let value = Zeroizing::new(format!("Bearer {}", token.trim()));
        let no_header = |error| failed(io::Error::new(io::ErrorKind::InvalidData, error));
        let mut token = HeaderValue::from_str(&value).map_err(no_header)?;
        token.set_sensitive(true);
        // A struct of strings: writing it has no way to fail.
        let body = serde_json::to_vec(question).unwrap_or_default();
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = Uri::from_static(PATH);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(host) = HeaderValue::from_str(self.address.url.0.as_str()) {
            headers.insert(HOST, host);
        }
        Ok(request)
    }

    /// Over the connection at hand; over a new one where there is none, or where the broker has closed it meanwhile.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, AskError> {
        if let Some(mut kept) = self.connection.take()
            && kept.ready().await.is_ok()
            && let Ok(response) = self.exchange(&mut kept, request.clone()).await
        {
            self.connection = Some(kept);
            return Ok(response);
        }
        let mut new = self.connect().await?;
        let response = self.exchange(&mut new, request).await?;
        self.connection = Some(new);
        Ok(response)
    }

    async fn exchange(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, AskError> {
        match tokio::time::timeout(PATIENCE + GRACE, connection.send_request(request)).await {
            Ok(answer) => answer.map_err(|source| AskError::Broke {
                to: self.to(),
                source,
            }),
            Err(_) => Err(AskError::Timeout { to: self.to() }),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, AskError> {
        let connecting = tokio::time::timeout(CONNECT, self.handshake());
        let timeout = |_| AskError::ConnectTimeout { to: self.to() };
        connecting.await.map_err(timeout)?
    }

    async fn handshake(&self) -> Result<SendRequest<Full<Bytes>>, AskError> {
        let failed = |source| AskError::Connect {
            to: self.to(),
            source,
        };
        let config = tls::config(&self.address.folder.join(BROKER_CA))?;
        let authority = &self.address.url.0;
        let host = authority.host().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| failed(io::Error::other(error)))?;
        let port = authority.port_u16().unwrap_or(443);
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(failed)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| AskError::Broke {
                to: self.to(),
                source,
            })?;
        // It ends with its sender, and tells it what went wrong.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn to(&self) -> String {
        self.address.url.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_a_brokers_url() {
        let good: Url = "https://alter-broker.alter.svc:9914".parse().unwrap();
        assert_eq!(good.0.port_u16(), Some(9_914));
        for bad in ["http://broker:9914", "broker:9914", "", "https://", "/a"] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }
}
