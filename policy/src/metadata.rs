//! What the API server takes as labels and annotations.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>

use crate::name::is_dns_subdomain;
use std::collections::BTreeMap;

/// The API server takes keys and values of all annotations together up to so many bytes.
const ANNOTATIONS_LIMIT: usize = 256 << 10;
/// So much of them is left to what Alter itself writes beside them.
const OWN_ANNOTATIONS: usize = 16 << 10;
/// Of a key's name and of a label's value.
const NAME_LIMIT: usize = 63;
/// Of a key's prefix.
const PREFIX_LIMIT: usize = 253;

/// Why the API server refuses a label or annotation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A key.
    #[error(
        "key {0:?} is none that Kubernetes takes: write at most 63 letters, digits and any of -_., with a letter or digit at both ends, and before it perhaps a domain and a /"
    )]
    Key(String),
    /// The value of a label.
    #[error(
        "the value of {0:?} is none that a label may have: write at most 63 letters, digits and any of -_., with a letter or digit at both ends"
    )]
    Value(String),
    /// The annotations together.
    #[error(
        "keys and values have {0} bytes together, and {fit} fit beside Alter's own: shorten them",
        fit = ANNOTATIONS_LIMIT - OWN_ANNOTATIONS
    )]
    TooLong(usize),
}

/// Checks labels that someone wants on an object of Alter's.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), MetadataError> {
    for (key, value) in labels {
        if !is_key(key) {
            return Err(MetadataError::Key(key.clone()));
        }
        if !value.is_empty() && !is_name(value) {
            return Err(MetadataError::Value(key.clone()));
        }
    }
    Ok(())
}

/// Checks annotations that someone wants on an object of Alter's.
pub fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), MetadataError> {
    // The API server does not look at the case of an annotation's prefix.
    let mut keys = annotations.keys();
    if let Some(key) = keys.find(|key| !is_key(&key.to_ascii_lowercase())) {
        return Err(MetadataError::Key(key.clone()));
    }
    let sizes = annotations
        .iter()
        .map(|(key, value)| key.len() + value.len());
    let size: usize = sizes.sum();
    if size > ANNOTATIONS_LIMIT - OWN_ANNOTATIONS {
        return Err(MetadataError::TooLong(size));
    }
    Ok(())
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix, PREFIX_LIMIT) && is_name(name),
        None => is_name(key),
    }
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends_well = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= NAME_LIMIT
        && ends_well(bytes.first())
        && ends_well(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn labels_are_those_of_kubernetes() {
        let long = "x".repeat(63);
        for (key, value) in [
            ("team", "a"),
            ("Team_1.x", "A-b_c.d"),
            ("example.com/team", ""),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(check_labels(&one(key, value)), Ok(()), "{key}: {value}");
        }
        let longer = "x".repeat(64);
        let long_domain = format!("{}/a", "x".repeat(254));
        for key in [
            "",
            "-a",
            "a-",
            "a b",
            "a:b",
            "/a",
            "a/",
            "a/b/c",
            "A.b/c",
            "a..b/c",
            "ä",
            &longer,
            &long_domain,
        ] {
            let expected = Err(MetadataError::Key(key.to_owned()));
            assert_eq!(check_labels(&one(key, "")), expected, "{key}");
        }
        for value in ["-", "a b", "a/b", "a.", "ü", &longer] {
            let expected = Err(MetadataError::Value("k".to_owned()));
            assert_eq!(check_labels(&one("k", value)), expected, "{value}");
        }
    }

    #[test]
    fn annotations_hold_any_value_up_to_a_size() {
        for key in ["note", "example.com/note", "Example.COM/Note"] {
            assert_eq!(check_annotations(&one(key, "any: \n text")), Ok(()));
        }
        for key in ["", "a b", "a/b/c", "-a"] {
            let expected = Err(MetadataError::Key(key.to_owned()));
            assert_eq!(check_annotations(&one(key, "")), expected, "{key}");
        }
        let fits = (240 << 10) - 1;
        assert_eq!(check_annotations(&one("k", &"x".repeat(fits))), Ok(()));
        let error = check_annotations(&one("k", &"x".repeat(fits + 1))).unwrap_err();
        assert_eq!(error, MetadataError::TooLong(245_761));
        assert!(error.to_string().contains("and 245760 fit"), "{error}");
    }
}
