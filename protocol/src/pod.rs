//! Where things stand inside a pod: agreed between webhook, agent and helper.

/// The memory-backed volume that the agent writes and the app's containers mount read-only.
pub const SHARED_DIR: &str = "/var/run/alter";
/// The agent's unix socket, mode 0666 in the pod's own volume.
pub const SOCKET: &str = "/var/run/alter/agent.sock";
/// The helper, copied here by the agent.
pub const HELPER: &str = "/var/run/alter/bin/credential-process";
/// The SDKs' config file: one profile a grant.
pub const CONFIG_FILE: &str = "/var/run/alter/aws/config";
/// The loopback endpoint's authorization token; no newline at its end, which SDKs refuse.
pub const TOKEN_FILE: &str = "/var/run/alter/token";
/// Exists once every grant of the pod had a session, so that a restarted agent asks no more for the start.
pub const READY_FILE: &str = "/var/run/alter/ready";
/// Where the grants' Secrets are mounted in the agent's container alone, a folder a grant.
pub const GRANTS_DIR: &str = "/var/run/alter-grants";
/// What the agent asks the broker with, in its container alone.
pub const BROKER_DIR: &str = "/var/run/alter-broker";
/// In [`BROKER_DIR`]: the pod's token for the broker, which the kubelet renews.
pub const BROKER_TOKEN: &str = "token";
/// In [`BROKER_DIR`]: the CAs that the broker's certificate may be of.
pub const BROKER_CA: &str = "ca.crt";

/// The container credentials endpoint listens here, in the pod's own network.
pub const ENDPOINT_ADDRESS: &str = "127.0.0.1:9911";
/// Followed by the grant's name.
pub const ENDPOINT_PATH: &str = "/v1/credentials/";

/// The Secret's key for the `credential_process` document.
pub const CREDENTIALS_JSON: &str = "credentials.json";
/// The Secret's key for the shared credentials file.
pub const CREDENTIALS_FILE: &str = "credentials";
/// The Secret's key for [`crate::GrantDocument`].
pub const GRANT_JSON: &str = "grant.json";

/// The environment of the agent's container.
pub mod env {
    /// Grants in the order of the annotation, comma-separated; the first is the default profile.
    pub const GRANTS: &str = "ALTER_GRANTS";
    /// The pod's delivery.
    pub const DELIVERY: &str = "ALTER_DELIVERY";
    /// The pod's service account, by the downward API.
    pub const SERVICE_ACCOUNT: &str = "ALTER_SERVICE_ACCOUNT";
    /// The broker's URL; none where the pod gets no session from it.
    pub const BROKER_URL: &str = "ALTER_BROKER_URL";
    /// Those of the grants whose sessions the broker gives, comma-separated.
    pub const BROKER_GRANTS: &str = "ALTER_BROKER_GRANTS";
    /// Where the agent serves its metrics; nowhere where absent.
    pub const METRICS_ADDRESS: &str = "ALTER_METRICS_ADDRESS";
}

/// What helper and startup probe say to the agent over the socket: one line, then the answer until EOF.
///
/// The answer is two lines: [`OK`](socket::OK) and a document, or [`ERROR`](socket::ERROR) and a text for
/// people. Every line ends in a newline and holds no other: an answer whose second newline is missing was
/// cut off, and nothing of it may be used. `session <grant>` asks for a session, `ready` whether the app
/// may start.
pub mod socket {
    /// Asks for the session of the grant that follows.
    pub const SESSION: &str = "session ";
    /// Asks whether every grant of the pod has been served at least once.
    pub const READY: &str = "ready";
    /// The first line of an answer that holds what was asked for.
    pub const OK: &str = "ok\n";
    /// The first line of an answer that says why not.
    pub const ERROR: &str = "error\n";
}
