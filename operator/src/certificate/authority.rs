//! Making and reading certificates.

use super::plan::{AUTHORITY_LIFE, LEAF_LIFE, Life};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use std::{sync::Arc, time::Duration};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// Clocks differ a little: a certificate is valid from so long before it is made.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
const COMMON_NAME: &str = "Alter webhook CA";

/// Why a certificate was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// Of the CA.
    #[error("cannot make the webhook's CA: {0}; report this as a bug")]
    Authority(#[source] rcgen::Error),
    /// Of the leaf.
    #[error("cannot make the webhook's certificate: {0}; check --webhook-service and --namespace")]
    Leaf(#[source] rcgen::Error),
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Pair {
    /// PEM.
    pub certificate: String,
    /// PEM; zeroed when dropped.
    pub key: Zeroizing<String>,
    /// From when to when.
    pub life: Life,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// A new CA.
pub(crate) fn make_authority(now: Timestamp) -> Result<Pair, AuthorityError> {
    let key = KeyPair::generate().map_err(AuthorityError::Authority)?;
    let mut params = authority_params();
    let life = validity(&mut params, now, AUTHORITY_LIFE);
    let certificate = params
        .self_signed(&key)
        .map_err(AuthorityError::Authority)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
        life,
    })
}

/// A new leaf of a CA.
pub(crate) fn make_leaf(
    authority: &Pair,
    names: &[String],
    now: Timestamp,
) -> Result<Pair, AuthorityError> {
    let signer = KeyPair::from_pem(&authority.key).map_err(AuthorityError::Leaf)?;
    // A signer needs the CA's name and key, and both are always the same or here.
    let issuer = Issuer::new(authority_params(), signer);
    let key = KeyPair::generate().map_err(AuthorityError::Leaf)?;
    let mut params = CertificateParams::new(names).map_err(AuthorityError::Leaf)?;
    params.distinguished_name = DistinguishedName::new();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let life = validity(&mut params, now, LEAF_LIFE);
    let certificate = params
        .signed_by(&key, &issuer)
        .map_err(AuthorityError::Leaf)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
        life,
    })
}

/// Reads a pair; none where it is none.
pub(crate) fn read(certificate: String, key: Zeroizing<String>) -> Option<Pair> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    let own_key = KeyPair::from_pem(&key).ok()?;
    if parsed.public_key().subject_public_key.data.as_ref() != own_key.public_key_raw() {
        return None;
    }
    let life = life_of(&parsed)?;
    Some(Pair {
        certificate,
        key,
        life,
    })
}

/// From when to when a PEM certificate is valid.
pub(crate) fn life(certificate: &str) -> Option<Life> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    life_of(&parsed)
}

/// Whether a client that trusts `bundle` takes the leaf for all of the names, at that time.
pub(crate) fn verifies(leaf: &str, bundle: &str, names: &[String], at: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()).flatten() {
        // One that cannot be read is trusted by nobody.
        let _ = roots.add(root);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let (Ok(verifier), Ok(leaf)) = (verifier, CertificateDer::from_pem_slice(leaf.as_bytes()))
    else {
        return false;
    };
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    names.iter().all(|name| {
        ServerName::try_from(name.as_str()).is_ok_and(|name| {
            verifier
                .verify_server_cert(&leaf, &[], &name, &[], time)
                .is_ok()
        })
    })
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, COMMON_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn validity(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) -> Life {
    let life = Life {
        not_before: now - SKEW,
        not_after: now + life,
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |time: Timestamp| {
        epoch + Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default())
    };
    params.not_before = at(life.not_before);
    params.not_after = at(life.not_after);
    life
}

fn life_of(certificate: &X509Certificate<'_>) -> Option<Life> {
    let at = |seconds| Timestamp::from_second(seconds).ok();
    Some(Life {
        not_before: at(certificate.validity().not_before.timestamp())?,
        not_after: at(certificate.validity().not_after.timestamp())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    fn names() -> Vec<String> {
        ["alter-webhook.alter.svc", "alter-webhook"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn a_leaf_is_taken_by_who_trusts_its_ca_while_it_lives() {
        let authority = make_authority(now()).unwrap();
        let leaf = make_leaf(&authority, &names(), now()).unwrap();
        let takes =
            |names: &[String], at| verifies(&leaf.certificate, &authority.certificate, names, at);
        assert!(takes(&names(), now()));
        assert!(!takes(&["other".to_owned()], now()));
        assert!(!takes(&names(), leaf.life.not_after + SKEW));
        let stranger = make_authority(now()).unwrap();
        assert!(!verifies(
            &leaf.certificate,
            &stranger.certificate,
            &names(),
            now()
        ));
    }

    #[test]
    fn while_cas_overlap_leaves_of_both_are_taken() {
        let (old, new) = (
            make_authority(now()).unwrap(),
            make_authority(now()).unwrap(),
        );
        let bundle = format!("{}{}", old.certificate, new.certificate);
        for authority in [&old, &new] {
            let leaf = make_leaf(authority, &names(), now()).unwrap();
            assert!(verifies(&leaf.certificate, &bundle, &names(), now()));
        }
    }

    #[test]
    fn a_pair_is_read_back_and_a_broken_one_is_none() {
        let pair = make_authority(now()).unwrap();
        let other = make_authority(now()).unwrap();
        let read_back = read(pair.certificate.clone(), pair.key.clone()).unwrap();
        assert_eq!(read_back.life, life(&pair.certificate).unwrap());
        assert_eq!(
            read_back.life.not_after.as_second(),
            pair.life.not_after.as_second()
        );
        assert!(
            read(pair.certificate.clone(), other.key).is_none(),
            "keys that do not belong"
        );
        assert!(read("nonsense".to_owned(), pair.key.clone()).is_none());
        assert!(read(pair.certificate, Zeroizing::new("nonsense".to_owned())).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let pair = make_authority(now()).unwrap();
        assert!(!format!("{pair:?}").contains("PRIVATE"));
    }
}
