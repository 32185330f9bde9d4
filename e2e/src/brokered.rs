//! Grants whose sessions come from the broker.

use crate::{
    Failure, TestNamespace,
    fixture::{IDLE, grant, identity, python_pod},
    with_temp_namespace,
};

/// What such a grant says.
pub const STORE: &str = "  store: Broker";

/// The namespace's identity, which allows the broker and names sessions by the template.
#[must_use]
pub fn broker_identity(namespace: &str, session_name: &str) -> String {
    let session = format!("  session: {{name: \"{session_name}\"}}\n  allow:");
    let identity = identity(namespace).replace("  allow:", &session);
    format!("{}\n    stores: [Broker]\n", identity.trim_end())
}

/// Each pod's session is called after it.
pub const NAMED: &str = "{namespace}.{serviceAccount}.{pod}";
/// All pods of a grant share its session.
pub const SHARED: &str = "{namespace}.{grant}";

/// A pod that has a grant and waits to be asked.
#[must_use]
pub fn idle_pod(name: &str, grant: &str) -> String {
    python_pod(name, &format!("alter.dev/grant: {grant}"), IDLE)
}

/// Runs a test in a namespace with the grant `bedrock` of the broker's, and the pod `app`, which has a session of
/// its own.
pub async fn with_brokered_app(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(test, &[], async |here| {
        here.apply(&broker_identity(&here.name, NAMED)).await?;
        here.identity_is(true, "").await?;
        here.apply(&grant(&here.name, "bedrock", STORE)).await?;
        here.grant_is("bedrock", true, "Brokered").await?;
        here.ready_pod("app", &idle_pod("app", "bedrock")).await?;
        body(&here).await
    })
    .await
}
