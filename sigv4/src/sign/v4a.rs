//! The key pair of version 4a, which comes of the access key alone.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use super::Credentials;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Signature};
use zeroize::Zeroizing;

/// The order of P-256, less two: what a candidate may be at most.
const LARGEST: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];
/// RFC 5915's `ECPrivateKey` for P-256: version, the key (left out here), the curve.
const BEFORE_KEY: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const AFTER_KEY: [u8; 12] = [
    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];

/// The pair of an access key; `None` if none of the 254 candidates fits, which chance does not bring about.
pub(super) fn key_pair(credentials: &Credentials<'_>) -> Option<EcdsaKeyPair> {
    let key = private_key(credentials)?;
    let der = Zeroizing::new([&BEFORE_KEY[..], &key[..], &AFTER_KEY].concat());
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).ok()
}

/// NIST SP 800-108 in counter mode, until a candidate is below the order of the curve.
fn private_key(credentials: &Credentials<'_>) -> Option<Zeroizing<[u8; 32]>> {
    let secret = Zeroizing::new(format!("AWS4A{}", credentials.secret_access_key));
    let hmac_key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
    (1..=254_u8).find_map(|counter| {
        let mut context = hmac::Context::with_key(&hmac_key);
        context.update(&1_u32.to_be_bytes());
        context.update(b"AWS4-ECDSA-P256-SHA256\0");
        context.update(credentials.access_key_id.as_bytes());
        context.update(&[counter]);
        context.update(&256_u32.to_be_bytes());
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(context.sign().as_ref());
        is_candidate(&key).then(|| {
            add_one(&mut key);
            key
        })
    })
}

/// Whether a number, with one added, is below the order of the curve.
fn is_candidate(number: &[u8; 32]) -> bool {
    *number <= LARGEST
}

fn add_one(number: &mut [u8; 32]) {
    for byte in number.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            break;
        }
    }
}

pub(super) fn sign(pair: &EcdsaKeyPair, text: &[u8]) -> Option<Signature> {
    pair.sign(&SystemRandom::new(), text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::key::hex;
    use super::*;
    use aws_lc_rs::signature::KeyPair as _;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Vectors {
        sigv4a_keys: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        access_key_id: String,
        secret_access_key: String,
        private_key: String,
        public_x: String,
        public_y: String,
    }

    #[test]
    fn keys_are_those_of_the_vendors_implementation() {
        let text = include_str!("../../testdata/sigv4.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert!(!vectors.sigv4a_keys.is_empty());
        for vector in vectors.sigv4a_keys {
            let credentials = Credentials {
                access_key_id: &vector.access_key_id,
                secret_access_key: &vector.secret_access_key,
                session_token: None,
            };
            assert_eq!(
                hex(&private_key(&credentials).unwrap()[..]),
                vector.private_key
            );
            let public = key_pair(&credentials).unwrap();
            let public = hex(public.public_key().as_ref());
            assert_eq!(public, format!("04{}{}", vector.public_x, vector.public_y));
        }
    }

    #[test]
    fn a_candidate_is_below_the_order_of_the_curve() {
        let mut number = LARGEST;
        assert!(is_candidate(&number) && is_candidate(&[0; 32]));
        add_one(&mut number);
        assert!(!is_candidate(&number) && !is_candidate(&[0xff; 32]));
    }

    #[test]
    fn one_is_added_with_carry() {
        let mut number = [0xff; 32];
        number[0] = 0;
        add_one(&mut number);
        let mut sum = [0; 32];
        sum[0] = 1;
        assert_eq!(number, sum);
    }
}
