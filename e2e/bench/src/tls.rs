//! A certificate authority for one run, and certificates for loopback.

use crate::Failure;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use std::{fs, path::Path, sync::Arc};
use tokio_rustls::TlsConnector;

/// Certificate of a server, in a folder.
pub(crate) const CERTIFICATE: &str = "tls.crt";
/// Key of a server, in a folder.
pub(crate) const KEY: &str = "tls.key";

/// A certificate authority for one run.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    /// Makes one.
    pub(crate) fn new() -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        Ok(Self {
            issuer,
            certificate,
        })
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Writes [`CERTIFICATE`] and [`KEY`] of a server on loopback into `folder`.
    pub(crate) fn issue(&self, folder: &Path) -> Result<(), Failure> {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
        let params = CertificateParams::new(names.map(str::to_owned))?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join(CERTIFICATE), certificate.pem())?;
        fs::write(folder.join(KEY), key.serialize_pem())?;
        Ok(())
    }

    /// Connects to servers of this authority, and no others.
    pub(crate) fn connector(&self) -> Result<TlsConnector, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone())?;
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
