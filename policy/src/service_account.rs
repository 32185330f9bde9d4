//! Which service accounts of a namespace may use a grant.

/// Whether a pod of `service_account` may use a grant whose list is `allowed`; an empty list means all.
#[must_use]
pub fn may_use<S: AsRef<str>>(allowed: &[S], service_account: &str) -> bool {
    allowed.is_empty() || allowed.iter().any(|name| name.as_ref() == service_account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_means_all_and_any_other_only_its_own() {
        assert!(may_use::<&str>(&[], "default"));
        assert!(may_use(&["app", "job"], "job"));
        assert!(!may_use(&["app"], "default"));
        assert!(!may_use(&["app"], ""));
    }
}
