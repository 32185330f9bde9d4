//! The signature of `CreateSession`: Signature Version 4, but that a certificate's key signs. Pure.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html>

use super::certificate::Certificate;
use alter_policy::hex::hex;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Of the credential scope.
const SERVICE: &str = "rolesanywhere";

/// The headers of a POST to `path`, by lower-case names; the host's is not among them. Nothing where the key
/// does not sign.
pub(crate) fn headers(
    (host, path, region): (&str, &str, &str),
    body: &str,
    certificate: &Certificate,
    now: Timestamp,
) -> Option<Vec<(&'static str, String)>> {
    let (shown, key) = (certificate.shown(), certificate.key());
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut sent = vec![
        ("content-type", "application/json".to_owned()),
        ("x-amz-date", time.clone()),
        ("x-amz-x509", shown.leaf.clone()),
    ];
    if let Some(chain) = &shown.chain {
        sent.push(("x-amz-x509-chain", chain.clone()));
    }
    let mut signed: Vec<_> = sent
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    signed.push(("host", host));
    signed.sort_unstable();
    let names: Vec<_> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let scope = format!("{}/{region}/{SERVICE}/aws4_request", now.strftime("%Y%m%d"));
    let request = canonical(path, &signed, &names, body);
    let text = format!("{}\n{time}\n{scope}\n{}", key.algorithm(), sha256(&request));
    let authorization = format!(
        "{} Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        key.algorithm(),
        shown.serial,
        hex(&key.sign(text.as_bytes())?)
    );
    sent.push(("authorization", authorization));
    Some(sent)
}

/// The request as both sides write it: no query, and values that need no trimming.
fn canonical(path: &str, headers: &[(&str, &str)], names: &str, body: &str) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"));
    format!(
        "POST\n{path}\n\n{}\n{names}\n{}",
        lines.collect::<String>(),
        sha256(body)
    )
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}
