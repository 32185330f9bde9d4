//! The private key of a certificate, and how it signs for AWS.

use alter_protocol::session::SecretText;
use aws_lc_rs::{
    digest::{self, Digest},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA256_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
        RSA_PKCS1_SHA256,
    },
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

/// A key that AWS takes signatures of.
pub(crate) enum SigningKey {
    Rsa(rsa::KeyPair),
    Ecdsa(EcdsaKeyPair),
    /// P-384: its library knows it with SHA-384 alone.
    EcdsaP384(EcdsaKeyPair),
}

/// Why a text holds no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// No private key in PEM that nobody encrypted.
    Absent,
    /// One of another kind, or of a size that nobody should sign with.
    Kind,
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#1 (`RSA PRIVATE KEY`), SEC1 (`EC PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`).
    pub(crate) fn read(pem: &SecretText) -> Result<Self, NoKey> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| NoKey::Absent)?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(key) => {
                let rsa = rsa::KeyPair::from_der(key.secret_pkcs1_der());
                rsa.ok().map(Self::Rsa)
            }
            PrivateKeyDer::Sec1(key) => ecdsa(key.secret_sec1_der()),
            PrivateKeyDer::Pkcs8(key) => {
                let rsa = rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der());
                let rsa = rsa.ok().map(Self::Rsa);
                rsa.or_else(|| ecdsa(key.secret_pkcs8_der()))
            }
            _ => None,
        };
        key.ok_or(NoKey::Kind)
    }

    /// As the `Authorization` header and the string to sign name it.
    pub(crate) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "AWS4-X509-RSA-SHA256",
            Self::Ecdsa(_) | Self::EcdsaP384(_) => "AWS4-X509-ECDSA-SHA256",
        }
    }

    /// As it stands in a certificate: an RSA key in PKCS#1, or a point.
    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::Ecdsa(key) | Self::EcdsaP384(key) => key.public_key().as_ref(),
        }
    }

    /// RSA with PKCS #1 v1.5, or ECDSA in DER; with SHA-256 either way. Nothing where the library fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ecdsa(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::EcdsaP384(key) => {
                let digest = widened(&digest::digest(&digest::SHA256, message))?;
                Some(key.sign_digest(&digest).ok()?.as_ref().to_vec())
            }
        }
    }
}

fn ecdsa(der: &[u8]) -> Option<SigningKey> {
    let read = |algorithm: &'static EcdsaSigningAlgorithm| {
        EcdsaKeyPair::from_private_key_der(algorithm, der).ok()
    };
    read(&ECDSA_P256_SHA256_ASN1_SIGNING)
        .or_else(|| read(&ECDSA_P521_SHA256_ASN1_SIGNING))
        .map(SigningKey::Ecdsa)
        .or_else(|| read(&ECDSA_P384_SHA384_ASN1_SIGNING).map(SigningKey::EcdsaP384))
}

/// A SHA-256 digest as one of SHA-384's length. ECDSA signs a digest as a number (FIPS 186-5, 6.4.1), which
/// zeros before it do not change.
fn widened(digest: &Digest) -> Option<Digest> {
    let mut wide = [0; digest::SHA384_OUTPUT_LEN];
    let at = wide.len().checked_sub(digest.as_ref().len())?;
    wide[at..].copy_from_slice(digest.as_ref());
    Digest::import_less_safe(&wide, &digest::SHA384).ok()
}
