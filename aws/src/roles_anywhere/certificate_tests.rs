use super::*;
use crate::test_anywhere::Pair;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

fn pair() -> Pair {
    Pair::issue(&PKCS_ECDSA_P256_SHA256, &[7], (2020, 2096)).unwrap()
}

fn read(certificates: &str, key: &str) -> Result<Certificate, CertificateError> {
    Certificate::read(certificates.as_bytes(), &SecretText::new(key.to_owned()))
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[test]
fn the_chain_is_sent_without_its_root() {
    let pair = pair();
    let certificate = read(&pair.certificates, &pair.key).unwrap();
    let chain = certificate.shown().chain.clone().unwrap();
    assert!(!chain.contains(','), "only what is between leaf and root");
    let end = "-----END CERTIFICATE-----\n";
    let leaf = pair.certificates.split_inclusive(end).next().unwrap();
    let alone = read(leaf, &pair.key).unwrap();
    assert_eq!(alone.shown().chain, None);
    assert_eq!(alone.shown().leaf, certificate.shown().leaf);
}

#[test]
fn serial_numbers_are_unsigned_decimals() {
    for (serial, text) in [
        (&[7][..], "7"),
        (&[0xff, 0xff], "65535"),
        (
            &[0xff; 20],
            "1461501637330902918203684832716283019655932542975",
        ),
    ] {
        let pair = Pair::issue(&PKCS_ECDSA_P256_SHA256, serial, (2020, 2096)).unwrap();
        let certificate = read(&pair.certificates, &pair.key).unwrap();
        assert_eq!(certificate.shown().serial, text);
    }
}

#[test]
fn dates_decide_and_say_what_to_do() {
    let pair = pair();
    let certificate = read(&pair.certificates, &pair.key).unwrap();
    assert_eq!(certificate.check(at("2020-01-01T00:00:00Z")), Ok(()));
    assert_eq!(certificate.check(at("2096-01-01T00:00:00Z")), Ok(()));
    let early = certificate.check(at("2019-12-31T23:59:59Z")).unwrap_err();
    assert!(
        early
            .to_string()
            .starts_with("the certificate is valid from 2020-01-01T00:00:00Z on: wait"),
        "{early}"
    );
    let late = certificate.check(at("2096-01-01T00:00:01Z")).unwrap_err();
    assert!(
        late.to_string()
            .starts_with("the certificate expired at 2096-01-01T00:00:00Z: write a renewed one"),
        "{late}"
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let (own, other) = (pair(), pair());
    let ed25519 = Pair::issue(&PKCS_ED25519, &[7], (2020, 2096)).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let mut all: Vec<_> = own.certificates.split_inclusive(end).collect();
    all.reverse();
    let ca_first = all.concat();
    for (certificates, key, error) in [
        ("", &*own.key, CertificateError::Unreadable),
        (&*own.key, &own.key, CertificateError::Unreadable),
        (
            "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n",
            &own.key,
            CertificateError::Unreadable,
        ),
        (&own.certificates, "", CertificateError::NoKey),
        (
            &own.certificates,
            &own.certificates,
            CertificateError::NoKey,
        ),
        (
            &ed25519.certificates,
            &ed25519.key,
            CertificateError::KeyKind,
        ),
        (&own.certificates, &other.key, CertificateError::OtherKey),
        (&ca_first, &own.key, CertificateError::OtherKey),
    ] {
        assert_eq!(read(certificates, key).err(), Some(error));
    }
}

#[test]
fn debug_shows_no_key() {
    let pair = pair();
    let shown = format!("{:?}", read(&pair.certificates, &pair.key).unwrap());
    let dates = "from: 2020-01-01T00:00:00Z, until: 2096-01-01T00:00:00Z, ..";
    assert_eq!(shown, format!("Certificate {{ serial: \"7\", {dates} }}"));
}
