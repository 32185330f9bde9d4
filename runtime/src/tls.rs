//! A server's TLS: its certificate comes from a mounted Secret, and is renewed under the running server.

use arc_swap::ArcSwap;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The certificate chain's file, leaf first, in the form of a Secret of type `kubernetes.io/tls`.
pub const CERTIFICATE: &str = "tls.crt";
/// The private key's file.
pub const KEY: &str = "tls.key";

/// The kubelet brings a changed Secret within 60 to 90 s; looking more often than that is enough.
const INTERVAL: Duration = Duration::from_secs(5);
/// The symlink that the kubelet swaps to a folder with all files of the new version.
const CURRENT: &str = "..data";

/// Installs the process's crypto provider. Call it first in each program; a second call changes nothing.
pub fn install_crypto_provider() {
    // Ignored: it fails only where a provider is installed already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// Why a certificate and its key cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; mount a Secret with tls.crt and tls.key there", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no PEM, or holds no item of its kind. Carries no content.
    #[error("{path} is no PEM file with a certificate or key: write a whole certificate and its key into the Secret", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are no pair, or of a kind that rustls does not serve.
    #[error("tls.crt and tls.key in {path} are no pair to serve: {source}; write both in one change", path = path.display())]
    Pair {
        /// The folder.
        path: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The leaf certificate is no X.509.
    #[error("{path} does not begin with an X.509 certificate: write the leaf first", path = path.display())]
    Leaf {
        /// The file.
        path: PathBuf,
    },
    /// The process has no usable TLS versions; the crypto provider decides them.
    #[error("cannot set up TLS: {0}; this is a fault of the build")]
    Setup(rustls::Error),
}

/// A certificate that follows its files.
#[derive(Debug)]
pub struct ReloadingCertificate {
    folder: PathBuf,
    served: Arc<Served>,
    config: Arc<ServerConfig>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Metrics {
    expiration: Gauge,
    reloads: Counter,
    failures: Counter,
}

#[derive(Debug)]
struct Served(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A pair as it stands in the files, and when it expires.
struct Pair {
    key: CertifiedKey,
    /// Unix time in seconds.
    not_after: i64,
}

impl ReloadingCertificate {
    /// Reads `tls.crt` and `tls.key` of a folder.
    pub async fn open(folder: &Path) -> Result<Self, TlsError> {
        let pair = read(folder).await?;
        let served = Arc::new(Served(ArcSwap::from_pointee(pair.key)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(served.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let metrics = Metrics::default();
        metrics.expiration.set(pair.not_after);
        Ok(Self {
            folder: folder.to_owned(),
            served,
            config: Arc::new(config),
            metrics,
        })
    }

    /// TLS 1.2 and 1.3, HTTP/1.1; each handshake gets the certificate as it then is.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Adds the certificate's expiration and the count of reloads to a program's metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "certificate_expiration_timestamp",
            "When the served certificate expires, in Unix time",
            Unit::Seconds,
            self.metrics.expiration.clone(),
        );
        registry.register(
            "certificate_reloads",
            "Certificates taken from changed files",
            self.metrics.reloads.clone(),
        );
        registry.register(
            "certificate_reload_failures",
            "Attempts to read the certificate's files that failed; the last good certificate is served",
            self.metrics.failures.clone(),
        );
    }

    /// Follows the files in a task of its own until `shutdown`, and keeps the last good pair.
    pub fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        tokio::spawn(self.follow(INTERVAL, shutdown));
    }

    async fn follow(self: Arc<Self>, interval: Duration, shutdown: CancellationToken) {
        let mut logged = None;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // One line a fault, not one a tick.
            let fault = self.reload().await.err().map(|error| error.to_string());
            if fault != logged
                && let Some(error) = &fault
            {
                tracing::warn!(error, "keeping the last good certificate");
            }
            logged = fault;
        }
    }

    /// Reads the files again; whether the served pair changed.
    async fn reload(&self) -> Result<bool, TlsError> {
        let pair = read(&self.folder).await.inspect_err(|_| {
            self.metrics.failures.inc();
        })?;
        // The key decides nothing here: a leaf holds its public half.
        if self.served.0.load().cert == pair.key.cert {
            return Ok(false);
        }
        self.served.0.store(Arc::new(pair.key));
        self.metrics.expiration.set(pair.not_after);
        self.metrics.reloads.inc();
        tracing::info!(
            not_after = pair.not_after,
            "serving the renewed certificate"
        );
        Ok(true)
    }
}

/// The process's provider, or the one that [`install_crypto_provider`] would install.
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

async fn read(folder: &Path) -> Result<Pair, TlsError> {
    // Resolved once, so that a swap between the two reads does not mix two versions.
    let folder = tokio::fs::canonicalize(folder.join(CURRENT))
        .await
        .unwrap_or_else(|_| folder.to_owned());
    let certificate_path = folder.join(CERTIFICATE);
    let key_path = folder.join(KEY);
    let chain = CertificateDer::pem_slice_iter(&bytes(&certificate_path).await?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::Pem {
            path: certificate_path.clone(),
        })?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(&key_path).await?)
        .map_err(|_| TlsError::Pem { path: key_path })?;
    let not_after = not_after(&chain).ok_or(TlsError::Leaf {
        path: certificate_path,
    })?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Pair {
        path: folder,
        source,
    })?;
    Ok(Pair { key, not_after })
}

async fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })
}

/// When the leaf expires, in Unix time.
fn not_after(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    Some(leaf.validity().not_after.timestamp())
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
