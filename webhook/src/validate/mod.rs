//! What the API server's own rules cannot check of both kinds: pure, from the object and what it refers to.

pub mod grant;
pub mod identity;

/// Why an object is denied: the field, and what to write there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field's path, such as `spec.roleArn`.
    pub field: String,
    /// What is wrong with it, and the mend.
    pub problem: String,
}

impl Invalid {
    fn new(field: impl Into<String>, problem: &impl ToString) -> Self {
        Self {
            field: field.into(),
            problem: problem.to_string(),
        }
    }
}

/// Turns an error about a field into a denial that names the field.
fn at<E: ToString>(field: &str) -> impl FnOnce(E) -> Invalid {
    move |error| Invalid::new(field, &error)
}
