//! Session tags: which keys a tenant may choose, and what STS takes.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>

use std::collections::BTreeMap;

/// Keys that begin so (in any case) are Alter's own or AWS's.
pub const RESERVED_PREFIXES: [&str; 4] = ["alter-", "kubernetes-", "eks-", "aws:"];
/// At most so many tags in one call.
pub const LIMIT: usize = 50;

/// Why a session tag is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The key is Alter's or AWS's own.
    #[error(
        "tag key {0:?} is reserved: choose one that does not begin with alter-, kubernetes-, eks- or aws:"
    )]
    Reserved(String),
    /// The key breaks STS's rule.
    #[error(
        "tag key {0:?} is refused by STS: write 1 to 128 letters, digits, spaces and any of _.:/=+-@"
    )]
    Key(String),
    /// The value breaks STS's rule.
    #[error(
        "the value of tag {0:?} is refused by STS: write at most 256 letters, digits, spaces and any of _.:/=+-@"
    )]
    Value(String),
    /// Two keys that differ in case alone, which STS takes for the same.
    #[error(
        "tag keys {0:?} and {1:?} differ in case alone, which STS takes for the same: keep one"
    )]
    Same(String, String),
    /// Too many.
    #[error("{0} session tags, and STS takes 50: remove some")]
    TooMany(usize),
}

/// Checks tags that a tenant wrote.
pub fn check_all(tags: &BTreeMap<String, String>) -> Result<(), TagError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (key, value) in tags {
        let folded = key.to_lowercase();
        if RESERVED_PREFIXES
            .iter()
            .any(|prefix| folded.starts_with(prefix))
        {
            return Err(TagError::Reserved(key.clone()));
        }
        if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_tag_char) {
            return Err(TagError::Key(key.clone()));
        }
        check_value(key, value)?;
        if let Some(other) = seen.insert(folded, key) {
            return Err(TagError::Same(other.to_owned(), key.clone()));
        }
    }
    if tags.len() > LIMIT {
        return Err(TagError::TooMany(tags.len()));
    }
    Ok(())
}

/// Checks the value of one tag.
pub fn check_value(key: &str, value: &str) -> Result<(), TagError> {
    if value.chars().count() > 256 || !value.chars().all(is_tag_char) {
        return Err(TagError::Value(key.to_owned()));
    }
    Ok(())
}

/// STS: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str) -> Result<(), TagError> {
        check_all(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn reserved_keys_are_refused_in_any_case() {
        for key in [
            "alter-namespace",
            "Alter-Grant",
            "KUBERNETES-pod-name",
            "eks-cluster-arn",
            "aws:x",
        ] {
            assert_eq!(check(key, "v"), Err(TagError::Reserved(key.to_owned())));
        }
        assert_eq!(check("alternative", "v"), Ok(()));
    }

    #[test]
    fn characters_and_lengths_are_those_of_sts() {
        assert_eq!(check("Größe/team a:1", "µ=ß"), Ok(()));
        assert_eq!(check("cost-center", ""), Ok(()));
        assert!(matches!(check("", "v"), Err(TagError::Key(_))));
        assert!(matches!(check("a\tb", "v"), Err(TagError::Key(_))));
        assert!(matches!(
            check(&"k".repeat(129), "v"),
            Err(TagError::Key(_))
        ));
        assert!(matches!(check("k", "a;b"), Err(TagError::Value(_))));
        assert!(matches!(
            check("k", &"v".repeat(257)),
            Err(TagError::Value(_))
        ));
    }

    #[test]
    fn keys_that_differ_in_case_alone_are_one() {
        let tags = BTreeMap::from([
            ("Team".to_owned(), "a".to_owned()),
            ("team".to_owned(), "b".to_owned()),
        ]);
        assert_eq!(
            check_all(&tags),
            Err(TagError::Same("Team".to_owned(), "team".to_owned()))
        );
    }

    #[test]
    fn fifty_tags_and_no_more() {
        let tags = |n: usize| (0..n).map(|i| (format!("k{i}"), String::new())).collect();
        assert_eq!(check_all(&tags(50)), Ok(()));
        assert_eq!(check_all(&tags(51)), Err(TagError::TooMany(51)));
    }
}
