//! What is wrong with a field, in words for whoever wrote it.

/// A field that cannot be used: the webhook's denial, and the message of `InvalidSpec`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The field's path, such as `spec.allow[0].roleArns[1]`.
    pub field: String,
    /// What is wrong with it, and the mend.
    pub problem: String,
}

impl FieldError {
    /// Of a field, with what is wrong with it and the mend.
    #[must_use]
    pub fn new(field: impl Into<String>, problem: &impl ToString) -> Self {
        Self {
            field: field.into(),
            problem: problem.to_string(),
        }
    }
}

/// Names the field that an error is about.
pub(crate) fn at<E: ToString>(field: &str) -> impl FnOnce(E) -> FieldError {
    move |error| FieldError::new(field, &error)
}
