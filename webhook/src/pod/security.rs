//! The agent's security context: as the `restricted` Pod Security Standard wants it.
//!
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>

use serde_json::{Value, json};

/// The user of the agent's image.
const AGENT_USER: i64 = 65_532;

/// What holds in every pod; the agent needs no more.
///
/// `runAsUser` is set only where the pod's own, which the agent would inherit, is 0: any other user can
/// read the Secrets (mode 0444) and write the shared volume (mode 0777), so the pod's `runAsUser`,
/// `runAsGroup` and `fsGroup` hold for the agent too. Without one the image's numeric user holds, which
/// `runAsNonRoot` accepts.
#[must_use]
pub(super) fn context(pod_run_as_user: Option<i64>) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if pod_run_as_user == Some(0) {
        context["runAsUser"] = AGENT_USER.into();
    }
    context
}
