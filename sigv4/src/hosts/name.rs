//! A host as it stands in a URL or a header, brought to one form.

use super::Refusal;

/// RFC 1035, without the trailing dot.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A host in lower case, without port and trailing dot. Kept on the stack.
pub(super) struct Name {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Name {
    pub(super) fn parse(host: &str) -> Result<Self, Refusal> {
        if host.is_empty() {
            return Err(Refusal::Empty);
        }
        if host.contains(['/', '@', '?', '#']) {
            return Err(Refusal::Url);
        }
        if host.starts_with('[') {
            return Err(Refusal::Address);
        }
        let host = without_port(host)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut name = Self {
            bytes: [0; LONGEST],
            len: host.len(),
        };
        let Some(bytes) = name.bytes.get_mut(..host.len()) else {
            return Err(Refusal::Malformed);
        };
        let mut label = 0;
        for (to, from) in bytes.iter_mut().zip(host.bytes()) {
            *to = from.to_ascii_lowercase();
            label = match to {
                b'.' if label == 0 => return Err(Refusal::Malformed),
                b'.' => 0,
                // Old buckets in us-east-1 have underscores.
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if label < LONGEST_LABEL => label + 1,
                _ => return Err(Refusal::Malformed),
            };
        }
        if label == 0 {
            return Err(Refusal::Malformed);
        }
        // What ends in a number is an IPv4 address to a URL parser.
        if bytes[bytes.len() - label..].iter().all(u8::is_ascii_digit) {
            return Err(Refusal::Address);
        }
        Ok(name)
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII was let in.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

fn without_port(host: &str) -> Result<&str, Refusal> {
    let Some((name, port)) = host.split_once(':') else {
        return Ok(host);
    };
    if port.contains(':') {
        return Err(Refusal::Address);
    }
    // `host:` is allowed, and means the scheme's own.
    if port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
    {
        return Ok(name);
    }
    Err(Refusal::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(host: &str) -> Result<String, Refusal> {
        Name::parse(host).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn port_case_and_dot_are_no_part_of_the_name() {
        for host in [
            "sts.amazonaws.com",
            "STS.AmazonAWS.com",
            "sts.amazonaws.com.",
            "sts.amazonaws.com:443",
            "sts.amazonaws.com.:65535",
            "sts.amazonaws.com:",
        ] {
            assert_eq!(parsed(host).as_deref(), Ok("sts.amazonaws.com"), "{host}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (host, refusal) in [
            ("", Refusal::Empty),
            ("https://sts.amazonaws.com", Refusal::Url),
            ("sts.amazonaws.com/", Refusal::Url),
            ("key@sts.amazonaws.com", Refusal::Url),
            ("[::1]:443", Refusal::Address),
            ("::1", Refusal::Address),
            ("127.0.0.1", Refusal::Address),
            ("127.0.0.1:80", Refusal::Address),
            ("sts.amazonaws.com:x", Refusal::Port),
            ("sts.amazonaws.com:+80", Refusal::Port),
            ("sts.amazonaws.com:65536", Refusal::Port),
            (".sts.amazonaws.com", Refusal::Malformed),
            ("sts..amazonaws.com", Refusal::Malformed),
            ("sts.amazonaws.com..", Refusal::Malformed),
            (".", Refusal::Malformed),
            (":80", Refusal::Malformed),
            (" sts.amazonaws.com", Refusal::Malformed),
            ("sts.amazonaws.com\n", Refusal::Malformed),
            ("sts\u{ff0e}amazonaws.com", Refusal::Malformed),
            ("\u{212a}ms.us-east-1.amazonaws.com", Refusal::Malformed),
        ] {
            assert_eq!(parsed(host).err(), Some(refusal), "{host:?}");
        }
    }

    #[test]
    fn labels_and_names_have_their_bounds() {
        let label = "a".repeat(63);
        assert!(parsed(&format!("{label}.com")).is_ok());
        assert!(parsed(&format!("a{label}.com")).is_err());
        let longest = [&label[..], &label, &label, &label[..61]].join(".");
        assert_eq!(longest.len(), 253);
        assert!(parsed(&longest).is_ok() && parsed(&format!("{longest}.")).is_ok());
        assert!(parsed(&format!("{longest}a")).is_err());
    }
}
