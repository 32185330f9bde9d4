//! One HTTP call of an AWS service that there is no SDK client for here, by the SDK's own HTTP client.

use crate::{
    classify::Dispatch,
    failure::{Failure, innermost},
    mend::Asked,
    sts::LIMITS,
};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::{BodyExt, Limited};

/// An answer is a few kilobytes.
const LARGEST: usize = 256 << 10;

/// A client. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Wire(SharedHttpConnector);

/// An endpoint.
pub(crate) struct Endpoint {
    pub(crate) uri: Uri,
    /// As HTTP clients write the header.
    pub(crate) host: String,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header `x-amzn-errortype`.
    pub(crate) error_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Endpoint {
    /// Takes a URL apart; nothing where it is none.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let default = match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        };
        let host = match authority.port_u16() {
            Some(port) if port != default => authority.as_str(),
            _ => authority.host(),
        };
        let host = host.to_owned();
        Some(Self { uri, host })
    }

    /// A POST with these headers, by lower-case names. Nothing where they are none.
    pub(crate) fn post<'a>(
        &self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: String,
    ) -> Option<HttpRequest> {
        let mut request = http::Request::post(self.uri.clone()).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(SdkBody::from(body)).ok()?;
        HttpRequest::try_from(request).ok()
    }
}

impl Wire {
    /// Asks nobody yet. The SDK's own client, as it asks STS.
    pub(crate) fn new() -> Self {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        Self(SharedHttpConnector::new(connector.build()))
    }

    /// Asks once.
    pub(crate) async fn ask(
        &self,
        request: HttpRequest,
        asked: &Asked<'_>,
    ) -> Result<Answer, Failure> {
        let call = async {
            let response = self.0.call(request).await;
            let response = response.map_err(|error| unanswered(&error, asked))?;
            read(response, asked).await
        };
        let limited = tokio::time::timeout(LIMITS.whole, call).await;
        limited.unwrap_or_else(|_| Err(Failure::timeout(asked)))
    }
}

async fn read(response: HttpResponse, asked: &Asked<'_>) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let header = response.headers().get("x-amzn-errortype");
    let error_type = header.map(str::to_owned);
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|_| Failure::incomplete("its end", asked))?;
    Ok(Answer {
        status,
        error_type,
        body: body.to_bytes().to_vec(),
    })
}

fn unanswered(error: &ConnectorError, asked: &Asked<'_>) -> Failure {
    if error.is_timeout() {
        return Failure::timeout(asked);
    }
    let what = format!("cannot reach {}: {}", asked.place, innermost(error));
    Failure::unanswered(Dispatch::Io, what, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_as_clients_write_it() {
        for (url, host) in [
            ("https://a.example", "a.example"),
            ("https://a.example:443", "a.example"),
            ("https://a.example:8443", "a.example:8443"),
            ("http://a.example:80/x", "a.example"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().host, host);
        }
        for url in ["/x", "http://no url", ""] {
            assert!(Endpoint::parse(url).is_none(), "{url}");
        }
    }
}
