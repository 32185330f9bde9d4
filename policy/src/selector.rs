//! Label selectors, as Kubernetes has them.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use std::collections::BTreeMap;

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// All must hold.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The label has one of the values.
    In(String, Vec<String>),
    /// The label is absent, or has none of the values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is absent.
    DoesNotExist(String),
}

impl Selector {
    /// Whether the labels are selected.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |key: &String, values: &[String]| {
            labels.get(key).is_some_and(|value| values.contains(value))
        };
        self.requirements
            .iter()
            .all(|requirement| match requirement {
                Requirement::In(key, values) => has(key, values),
                Requirement::NotIn(key, values) => !has(key, values),
                Requirement::Exists(key) => labels.contains_key(key),
                Requirement::DoesNotExist(key) => !labels.contains_key(key),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_follow_kubernetes() {
        let own = |text: &str| text.to_owned();
        let labels = BTreeMap::from([(own("team"), own("a")), (own("env"), own("prod"))]);
        let select = |requirements: Vec<Requirement>| Selector { requirements }.selects(&labels);
        assert!(select(vec![]));
        assert!(select(vec![Requirement::In(
            own("team"),
            vec![own("a"), own("b")]
        )]));
        assert!(!select(vec![Requirement::In(own("team"), vec![own("b")])]));
        assert!(select(vec![Requirement::NotIn(
            own("absent"),
            vec![own("x")]
        )]));
        assert!(!select(vec![Requirement::NotIn(
            own("env"),
            vec![own("prod")]
        )]));
        assert!(select(vec![
            Requirement::Exists(own("env")),
            Requirement::DoesNotExist(own("absent"))
        ]));
        assert!(!select(vec![Requirement::DoesNotExist(own("env"))]));
    }
}
