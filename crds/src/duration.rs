//! The durations of a grant, read.

use crate::{field::FieldError, grant::AwsGrantSpec};
use jiff::SignedDuration;

/// A shorter pause would begin between two of a job's pods.
pub(crate) const LEAST_PAUSE_AFTER: SignedDuration = SignedDuration::from_mins(10);

impl AwsGrantSpec {
    /// The session's life.
    #[must_use]
    pub fn duration(&self) -> SignedDuration {
        SignedDuration::from_secs(self.duration_seconds.into())
    }

    /// `refreshBefore`, read.
    pub fn refresh_before(&self) -> Result<Option<SignedDuration>, FieldError> {
        read(self.refresh_before.as_deref(), "spec.refreshBefore", "30m")
    }

    /// `pauseAfter`, read.
    pub fn pause_after(&self) -> Result<Option<SignedDuration>, FieldError> {
        read(self.pause_after.as_deref(), "spec.pauseAfter", "1h")
    }
}

fn read(
    text: Option<&str>,
    field: &str,
    example: &str,
) -> Result<Option<SignedDuration>, FieldError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let read = humantime::parse_duration(text).ok();
    read.and_then(|duration| SignedDuration::try_from(duration).ok())
        .map(Some)
        .ok_or_else(|| {
            let problem = format!("{text:?} is no duration: write one such as {example}");
            FieldError::new(field, &problem)
        })
}
