//! The way over the wire, by the SDK's own HTTP client.

use super::{Body, Plan};
use alter_sigv4::sign::Signed;
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http_body_util::BodyExt as _;
use std::error::Error;
use std::io::{self, Write};
use thiserror::Error;

/// Why there is no good answer.
#[derive(Debug, Error)]
pub enum SendError {
    /// A method or a header that HTTP does not have.
    #[error("the request cannot be written: {0}; check method and headers")]
    Request(String),
    /// No connection, no TLS, or none that lasts.
    #[error("no answer from {host}: {reason}; check the host, the network and HTTPS_PROXY")]
    Unanswered {
        /// Whom it was sent to.
        host: String,
        /// The last cause.
        reason: String,
    },
    /// The answer's end is missing.
    #[error("the answer of {host} broke off: {reason}; ask again")]
    Cut {
        /// Who answered.
        host: String,
        /// The last cause.
        reason: String,
    },
    /// What was answered cannot be printed.
    #[error("writing the answer: {0}; check where standard output leads")]
    Output(#[from] io::Error),
    /// AWS says no, and has said why.
    #[error("{host} answered {status}; what it said is above")]
    Status {
        /// Who answered.
        host: String,
        /// 400 or above.
        status: u16,
    },
}

/// Sends once, and follows no redirection: it would need another signature.
pub(super) async fn send(
    plan: &Plan,
    added: Signed,
    body: Body,
    mut output: impl Write,
) -> Result<(), SendError> {
    let host = plan
        .uri
        .authority()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut request = http::Request::builder()
        .method(plan.method.as_str())
        .uri(plan.uri.clone());
    let own = plan
        .headers
        .iter()
        .filter(|(name, _)| !added.headers.iter().any(|(other, _)| other == name));
    for (name, value) in own {
        request = request.header(name, value);
    }
    for (name, value) in &added.headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(body.into_sent())
        .map_err(|error| SendError::Request(error.to_string()))?;
    let request =
        HttpRequest::try_from(request).map_err(|error| SendError::Request(error.to_string()))?;

    let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    connector.set_proxy_config(Some(ProxyConfig::from_env()));
    let response =
        connector
            .build()
            .call(request)
            .await
            .map_err(|error| SendError::Unanswered {
                host: host.clone(),
                reason: innermost(&error),
            })?;

    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| SendError::Cut {
            host: host.clone(),
            reason: innermost(&*error),
        })?;
        if let Some(data) = frame.data_ref() {
            output.write_all(data)?;
            // Each event as it comes.
            output.flush()?;
        }
    }
    if status >= 400 {
        return Err(SendError::Status { host, status });
    }
    Ok(())
}

/// The SDK's outermost words say little.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
