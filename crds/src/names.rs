//! Names that stand in a cluster: annotations, labels, field managers, Secret types and keys.

/// What keys of labels and annotations that are Alter's own begin with.
pub const OWN_KEY_PREFIX: &str = "alter.dev/";

/// Annotations of pods.
pub mod pod {
    /// One or more grant names, comma-separated; the first is the default profile.
    pub const GRANT: &str = "alter.dev/grant";
    /// How the pod gets its session; `process` where absent.
    pub const DELIVERY: &str = "alter.dev/delivery";
    /// Which containers, comma-separated; all where absent.
    pub const CONTAINERS: &str = "alter.dev/containers";
    /// JSON of requests and limits for the agent.
    pub const AGENT_RESOURCES: &str = "alter.dev/agent-resources";
    /// [`CONFLICT_KEEP`]: the pod's own variables may outrank the delivery.
    pub const CONFLICT: &str = "alter.dev/conflict";
    /// The only value of [`CONFLICT`].
    pub const CONFLICT_KEEP: &str = "keep";

    /// Label: the webhook has given the pod its agent. Who lacks it is looked at; who forges it is not.
    pub const INJECTED: &str = "alter.dev/injected";
    /// The value of [`INJECTED`].
    pub const INJECTED_TRUE: &str = "true";
    /// Selects by field the pods that have not ended.
    pub const LIVING: &str = "status.phase!=Succeeded,status.phase!=Failed";
    /// Annotation of what the API server shows of a pod that a node runs by itself, which nobody can inject.
    ///
    /// <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>
    pub const MIRROR: &str = "kubernetes.io/config.mirror";

    /// The injected init container.
    pub const AGENT_CONTAINER: &str = "alter-agent";
    /// The memory-backed volume that agent and app share.
    pub const SHARED_VOLUME: &str = "alter";
    /// Followed by the grant's name: the volume with its Secret.
    pub const GRANT_VOLUME_PREFIX: &str = "alter-grant-";
    /// The volume with the pod's token for the broker, and the broker's CA.
    pub const BROKER_VOLUME: &str = "alter-broker";
    /// Label: the pod may ask the broker, which follows the pods that carry it.
    pub const BROKER: &str = "alter.dev/broker";
    /// The value of [`BROKER`].
    pub const BROKER_ASKS: &str = "asks";
    /// What keeps a port out of a service mesh, which may not be up yet when the agent first asks the broker: lists of
    /// ports that Istio's and Linkerd's proxies leave alone.
    pub const MESH_EXCLUSIONS: [&str; 2] = [
        "traffic.sidecar.istio.io/excludeOutboundPorts",
        "config.linkerd.io/skip-outbound-ports",
    ];
}

/// Annotations of grants.
pub mod grant {
    /// A time, RFC 3339: sessions from before are dropped, once, and a new one is issued.
    pub const REVOKE_BEFORE: &str = "alter.dev/revoke-before";
}

/// The Secret that holds a grant's session.
pub mod secret {
    /// `type` of a session's Secret.
    pub const SESSION_TYPE: &str = "alter.dev/aws-session";
    /// Follows the grant's name, unless `spec.secretName` says otherwise.
    pub const SUFFIX: &str = "-aws";
    /// Label: the grant's name.
    pub const GRANT_LABEL: &str = "alter.dev/grant";
    /// Annotation: the grant's UID. The Secret belongs to that very object.
    pub const GRANT_UID: &str = "alter.dev/grant-uid";
    /// Annotation: when the session was issued, RFC 3339.
    pub const ISSUED_AT: &str = "alter.dev/issued-at";
    /// Annotation: when the session expires, RFC 3339.
    pub const EXPIRATION: &str = "alter.dev/expiration";
    /// Annotation: the session's access key id, which is no secret.
    pub const ACCESS_KEY_ID: &str = "alter.dev/access-key-id";
    /// Annotation: ARN of the assumed role, as STS answered.
    pub const ASSUMED_ROLE_ARN: &str = "alter.dev/assumed-role-arn";
    /// Annotation: a digest of everything that the session and the files depend on.
    pub const INPUT_DIGEST: &str = "alter.dev/input-digest";
    /// Annotation: since when the session is taken away, RFC 3339; absent while it is served.
    pub const REVOKED_AT: &str = "alter.dev/revoked-at";
    /// Annotation: why it is, as a condition's reason.
    pub const REVOKED_REASON: &str = "alter.dev/revoked-reason";

    /// `type` of the Secret with the webhook's certificates.
    pub const CERTIFICATE_TYPE: &str = "alter.dev/webhook-certificate";
}

/// What the broker needs in a cluster.
pub mod broker {
    /// The ConfigMap with the CAs that the broker's certificate may be of, in each namespace with a grant whose
    /// store it is.
    pub const CA_CONFIG_MAP: &str = "alter-broker-ca";
    /// Its key.
    pub const CA: &str = "ca.crt";
    /// Of a pod's token, among the extra fields of the user that it stands for: the pod's name.
    ///
    /// <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>
    pub const TOKEN_POD_NAME: &str = "authentication.kubernetes.io/pod-name";
    /// The pod's UID.
    pub const TOKEN_POD_UID: &str = "authentication.kubernetes.io/pod-uid";
    /// The user name of a service account begins so, followed by namespace, a colon, and name.
    pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";
}

/// Labels that every object made by Alter carries.
pub mod label {
    /// Kubernetes' recommended label.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`MANAGED_BY`] on objects that the operator makes.
    pub const OPERATOR: &str = "alter-operator";
}

/// Field managers: in `managedFields`, who wrote what.
pub mod field_manager {
    /// Sessions' Secrets.
    pub const SECRET: &str = "alter-operator/secret";
    /// Status of both kinds.
    pub const STATUS: &str = "alter-operator/status";
    /// The operator's Lease.
    pub const LEASE: &str = "alter-operator/lease";
    /// `caBundle` of the webhook configurations, and the certificate's Secret.
    pub const CERTIFICATE: &str = "alter-operator/certificate";
    /// The broker's CAs in the namespaces of its grants.
    pub const BROKER_CA: &str = "alter-operator/broker-ca";
    /// `status.brokerArn` of identities.
    pub const BROKER_STATUS: &str = "alter-broker/status";
}

/// Keys of the Secret with the webhook's certificates.
pub mod certificate {
    /// The certificate that the webhook serves.
    pub const CERTIFICATE: &str = "tls.crt";
    /// Its key.
    pub const KEY: &str = "tls.key";
    /// The CA that signs.
    pub const CA_CERTIFICATE: &str = "ca.crt";
    /// Its key.
    pub const CA_KEY: &str = "ca.key";
    /// The CA that will sign, and is trusted already.
    pub const NEXT_CA_CERTIFICATE: &str = "next-ca.crt";
    /// Its key.
    pub const NEXT_CA_KEY: &str = "next-ca.key";
    /// CAs that have signed, and are trusted until they expire.
    pub const OLD_CA_CERTIFICATES: &str = "old-ca.crt";
}

/// Alter's own session tags, where an identity turns them on.
pub mod session_tag {
    /// The grant's namespace.
    pub const NAMESPACE: &str = "alter-namespace";
    /// The grant's name.
    pub const GRANT: &str = "alter-grant";
    /// The service account of the pod whose session it is.
    pub const SERVICE_ACCOUNT: &str = "alter-service-account";
    /// That pod's name.
    pub const POD: &str = "alter-pod";
    /// The cluster's name, where the installation has one.
    pub const CLUSTER: &str = "alter-cluster";
}

/// Keys of the Secret that `spec.credentials.accessKey.secretRef` of an identity names.
pub mod access_key {
    /// `AKIA…`
    pub const ACCESS_KEY_ID: &str = "accessKeyId";
    /// The secret access key.
    pub const SECRET_ACCESS_KEY: &str = "secretAccessKey";
    /// Optional: of temporary credentials.
    pub const SESSION_TOKEN: &str = "sessionToken";
    /// Those that must be there, for people.
    pub const NEEDED: &str = "accessKeyId and secretAccessKey";
}

/// Keys of the Secret that `spec.credentials.rolesAnywhere.certificateSecretRef` of an identity names: those of
/// the type `kubernetes.io/tls`.
pub mod certificate_source {
    /// The certificate, followed by those of its CAs, in PEM.
    pub const CERTIFICATE: &str = "tls.crt";
    /// Its key, in PEM.
    pub const KEY: &str = "tls.key";
    /// Both, for people.
    pub const NEEDED: &str = "tls.crt and tls.key";
}

/// What reports events.
pub const OPERATOR: &str = "alter-operator";
