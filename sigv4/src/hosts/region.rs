//! The name of a region.

use std::fmt;

/// Longer than any region's name that AWS has given.
const LONGEST: usize = 31;

/// The name of a region, or `*`. Kept in place, so that a lookup allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Region {
    /// All regions, for a signature of version 4a.
    pub const EVERY: Self = {
        let mut bytes = [0; LONGEST];
        bytes[0] = b'*';
        Self { bytes, len: 1 }
    };

    /// `None` where the text is empty, longer than a region's name is, or has letters that none has.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name == "*" {
            return Some(Self::EVERY);
        }
        if name.is_empty() || !name.bytes().all(fit) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Self {
            bytes,
            len: u8::try_from(name.len()).ok()?,
        })
    }

    /// As it stands in a credential scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII was let in.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Whether a label is a region's name: one of `beginnings`, a word, a number. By form, as the SDKs take it, so that a
/// region that is younger than this program is one too.
pub(super) fn is_of(beginnings: &[&str], label: &str) -> bool {
    beginnings.iter().any(|beginning| {
        label
            .strip_prefix(beginning)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(word, number)| {
                let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                !word.is_empty()
                    && word.bytes().all(letter)
                    && !number.is_empty()
                    && number.bytes().all(|b| b.is_ascii_digit())
                    && label.len() <= LONGEST
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_known_by_its_form() {
        let commercial = ["us", "eu", "ap"];
        for region in ["us-east-1", "ap-southeast-12", "eu-central-2"] {
            assert!(is_of(&commercial, region), "{region}");
        }
        for other in [
            "us-gov-west-1",
            "us-east",
            "us-east-",
            "us--1",
            "useast-1",
            "us-east-1a",
            "xx-east-1",
            "us",
            "",
            "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1",
        ] {
            assert!(!is_of(&commercial, other), "{other}");
        }
        assert!(is_of(&["us-gov"], "us-gov-west-1") && !is_of(&["us-gov"], "us-east-1"));
    }

    #[test]
    fn a_name_is_kept_as_it_is() {
        assert_eq!(
            Region::new("us-east-1").map(|r| r.to_string()).as_deref(),
            Some("us-east-1")
        );
        assert_eq!(Region::new("*"), Some(Region::EVERY));
        for bad in ["", "us east", "us-east-1/", "US-EAST-1", &"a".repeat(32)] {
            assert_eq!(Region::new(bad), None, "{bad}");
        }
    }
}
