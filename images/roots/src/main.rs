//! Writes Mozilla's root certificates to standard output, as PEM: those of a crate that Cargo.lock pins, and not the
//! build machine's, which may hold the CA of a proxy.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::{self, Write};

/// RFC 7468 §2.
const LINE: usize = 64;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        writeln!(out, "-----BEGIN CERTIFICATE-----")?;
        for line in STANDARD.encode(certificate).as_bytes().chunks(LINE) {
            out.write_all(line)?;
            writeln!(out)?;
        }
        writeln!(out, "-----END CERTIFICATE-----")?;
    }
    Ok(())
}
