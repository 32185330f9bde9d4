//! Sessions from before a time that a grant's annotation names.

use crate::session_secret::Served;
use jiff::{SignedDuration, Timestamp};

/// AWS tells sessions apart by the second in which they were issued: one of the second after is surely from after.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// Whether a session is one that is to be dropped at `now`. A time ahead drops none before it comes.
pub(crate) fn drops(cut: Timestamp, served: &Served, now: Timestamp) -> bool {
    cut <= now && served.issued_at < earliest(cut)
}

/// From when on sessions are from after the cut.
pub(crate) fn earliest(cut: Timestamp) -> Timestamp {
    cut.checked_add(APART).unwrap_or(Timestamp::MAX)
}
