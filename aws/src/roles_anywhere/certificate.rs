//! A certificate with its CAs and its key, as cert-manager and others write them.

use super::key::{NoKey, SigningKey};
use alter_protocol::session::{SecretText, rfc3339};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{fmt, sync::Arc};
use x509_parser::{
    certificate::X509Certificate,
    prelude::{ASN1Time, FromDer},
};

/// A certificate with its key. Clones share it; its `Debug` shows the serial number and the dates alone.
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
    shown: Shown,
    from: Timestamp,
    until: Timestamp,
    key: SigningKey,
}

/// What AWS is shown, as the headers hold it.
pub(crate) struct Shown {
    /// DER in Base64.
    pub(crate) leaf: String,
    /// The CAs between leaf and root, DER in Base64, comma-separated. The root is AWS's to know: it is the
    /// trust anchor.
    pub(crate) chain: Option<String>,
    /// Unsigned, in decimal.
    pub(crate) serial: String,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in PEM, or one that is not to be read.
    #[error(
        "the certificate is not to be read: write it in PEM, the certificate first and then its CAs"
    )]
    Unreadable,
    /// No private key in PEM.
    #[error("there is no private key in PEM: write it as PKCS#1, SEC1 or PKCS#8, not encrypted")]
    NoKey,
    /// A key that AWS takes no signatures of.
    #[error(
        "the private key is of a kind that is not used here: make one of RSA with 2048 bits or more, or of ECDSA on P-256, P-384 or P-521"
    )]
    KeyKind,
    /// Key and certificate do not belong together.
    #[error(
        "the private key is not that of the first certificate: write both of one certificate, and that one before its CAs"
    )]
    OtherKey,
    /// Too early.
    #[error(
        "the certificate is valid from {} on: wait until then, or check the clock of the operator's node",
        rfc3339(*.0)
    )]
    NotYetValid(Timestamp),
    /// Too late.
    #[error(
        "the certificate expired at {}: write a renewed one, or find out why its issuer did not",
        rfc3339(*.0)
    )]
    Expired(Timestamp),
}

impl Certificate {
    /// Reads the PEM texts of `tls.crt` and `tls.key`.
    pub fn read(certificates: &[u8], key: &SecretText) -> Result<Self, CertificateError> {
        let all: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::Unreadable)?;
        let (leaf_der, cas) = all.split_first().ok_or(CertificateError::Unreadable)?;
        let leaf = parse(leaf_der)?;
        let mut chain = Vec::new();
        for der in cas {
            let ca = parse(der)?;
            if ca.subject() != ca.issuer() {
                chain.push(BASE64_STANDARD.encode(der));
            }
        }
        let key = SigningKey::read(key).map_err(|no| match no {
            NoKey::Absent => CertificateError::NoKey,
            NoKey::Kind => CertificateError::KeyKind,
        })?;
        if leaf.public_key().subject_public_key.data != key.public() {
            return Err(CertificateError::OtherKey);
        }
        let validity = leaf.validity();
        Ok(Self(Arc::new(Parts {
            shown: Shown {
                leaf: BASE64_STANDARD.encode(leaf_der),
                chain: (!chain.is_empty()).then(|| chain.join(",")),
                serial: leaf.tbs_certificate.serial.to_string(),
            },
            from: time(validity.not_before)?,
            until: time(validity.not_after)?,
            key,
        })))
    }

    /// Whether it is valid at `now`.
    pub fn check(&self, now: Timestamp) -> Result<(), CertificateError> {
        if now < self.0.from {
            return Err(CertificateError::NotYetValid(self.0.from));
        }
        if self.0.until < now {
            return Err(CertificateError::Expired(self.0.until));
        }
        Ok(())
    }

    pub(crate) fn shown(&self) -> &Shown {
        &self.0.shown
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.0.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.0.shown.serial)
            .field("from", &self.0.from)
            .field("until", &self.0.until)
            .finish_non_exhaustive()
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, CertificateError> {
    let read = X509Certificate::from_der(der);
    read.map(|(_, certificate)| certificate)
        .map_err(|_| CertificateError::Unreadable)
}

fn time(time: ASN1Time) -> Result<Timestamp, CertificateError> {
    Timestamp::from_second(time.timestamp()).map_err(|_| CertificateError::Unreadable)
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
