//! Why a session that is due is not issued now, in words.

use super::plan::Why;
use alter_crds::AwsGrantSpec;
use alter_policy::allowance::SESSIONS_AT_ONCE;
use alter_protocol::session::rfc3339;
use jiff::Timestamp;

/// The grant's allowance is used up until then.
pub(crate) fn too_many(why: Why, at: Timestamp) -> String {
    format!(
        "more than {SESSIONS_AT_ONCE} sessions in a short while, as {}: find who does that; the next is issued at {}",
        cause(why),
        rfc3339(at)
    )
}

/// What keeps making sessions due.
const fn cause(why: Why) -> &'static str {
    match why {
        Why::First => "its Secret keeps being removed",
        Why::Changed => "the grant, its identity, or the Secret's annotations keep changing",
        Why::Restored => {
            "the session keeps being taken away and restored, or the Secret's annotations say so"
        }
        Why::Due => "the times in the Secret's annotations keep changing",
    }
}

/// The identity has no turn for it.
pub(crate) fn crowded(identity: &str) -> String {
    format!("many grants ask AwsIdentity {identity:?} for a session: this one waits for its turn")
}

/// No pod has used the grant since then. Pods that come read it, until the kubelet shows them their session.
pub(crate) fn paused(spec: &AwsGrantSpec, since: Timestamp) -> String {
    format!(
        "no pod has used the grant since {}, so that it is paused (spec.pauseAfter is {}): a pod wakes it, and sees a \
         session within two minutes",
        rfc3339(since),
        spec.pause_after.as_deref().unwrap_or_default()
    )
}
