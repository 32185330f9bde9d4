//! Tokens that callers on loopback must show.

use alter_protocol::session::SecretText;
use zeroize::Zeroizing;

/// 256 bits in hexadecimal. No newline at its end: SDKs refuse a token's file then.
pub(crate) fn random() -> Result<SecretText, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    let mut token = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        token.extend(char::from_digit(digit.into(), 16));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_256_bits_and_never_the_same() {
        let token = random().unwrap();
        assert_eq!(token.len(), 64);
        assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(token, random().unwrap());
    }
}
