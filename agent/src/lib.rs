//! What runs inside a pod: the agent and the credential_process helper.
