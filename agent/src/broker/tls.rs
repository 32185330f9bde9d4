//! Whom the agent takes for the broker: the CAs of a file that changes under it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Why the broker cannot be told from others.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read {path}: {source}; Alter's operator makes the ConfigMap alter-broker-ca in namespaces with a grant of store Broker", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} holds no certificate: Alter's operator writes it anew", path = path.display())]
    Empty { path: PathBuf },
    #[error("cannot set up TLS: {0}; this is a fault of the build")]
    Setup(#[source] rustls::Error),
}

/// TLS by the CAs of the file, as it now is.
pub(crate) fn config(file: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let text = std::fs::read(file).map_err(|source| TlsError::Read {
        path: file.to_owned(),
        source,
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text).flatten() {
        // Ignored: the others may do.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(TlsError::Empty {
            path: file.to_owned(),
        });
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each connection begins with the file as it then is.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
