//! `AwsGrant`: what one team may do as which role, for how long.

use crate::{field::FieldError, identity::AwsIdentitySpec, names};
use alter_policy::{allow, refresh};
use alter_protocol::GrantDocument;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one team may do as which role, for how long.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "alter.dev",
    version = "v1alpha1",
    kind = "AwsGrant",
    plural = "awsgrants",
    shortname = "awsg",
    category = "alter",
    namespaced,
    status = "AwsGrantStatus",
    doc = "What one team may do as which role, for how long.",
    printcolumn(json_path = ".spec.roleArn", name = "Role", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type=='Ready')].status", name = "Ready", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type=='Ready')].reason", name = "Reason", type_ = "string"),
    printcolumn(json_path = ".status.expiration", name = "Expires", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date"),
    validation = Rule::new("self.metadata.name.size() <= 50 && !self.metadata.name.contains('.')").message("metadata.name is no name of an AwsGrant: write at most 50 lower-case letters, digits and -, with a letter or digit at both ends"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretName) == has(oldSelf.secretName) && (!has(self.secretName) || self.secretName == oldSelf.secretName)").message("secretName cannot change: make another grant"))]
#[x_kube(validation = Rule::new("!has(self.refreshBefore) || (self.refreshBefore.matches('^([0-9]+(h|m|s))+$') && duration(self.refreshBefore).getSeconds() < self.durationSeconds)").message("refreshBefore must be a duration shorter than durationSeconds: write one such as 30m"))]
#[x_kube(validation = Rule::new("!has(self.bedrock) || (!has(self.policy) && (!has(self.policyArns) || self.policyArns.size() == 0))").message("bedrock excludes policy and policyArns, which would widen it: remove one or the other"))]
#[x_kube(validation = Rule::new("has(self.roleArn) || ((!has(self.roleChain) || self.roleChain.size() == 0) && !has(self.externalId) && !has(self.sessionName))").message("roleChain, externalId and sessionName are of a role: write roleArn too, or remove them"))]
#[x_kube(validation = Rule::new("!has(self.roleChain) || self.roleChain.size() == 0 || self.durationSeconds <= 3600").message("durationSeconds must be 3600 or less with a roleChain: AWS caps every session that is obtained by another"))]
#[x_kube(validation = Rule::new("!has(self.pauseAfter) || (self.pauseAfter.matches('^([0-9]+(h|m|s))+$') && duration(self.pauseAfter).getSeconds() >= 600)").message("pauseAfter must be a duration of 10 minutes or more: write one such as 1h"))]
#[x_kube(validation = Rule::new("!has(self.pauseAfter) || self.store != 'Broker'").message("pauseAfter is of store Secret alone, as the broker renews nothing that no pod asks for: remove it"))]
#[x_kube(validation = Rule::new("!has(self.pauseAfter) || !has(self.secretTemplate) || !has(self.secretTemplate.env) || !self.secretTemplate.env").message("pauseAfter excludes secretTemplate.env, as pods that take the Secret by themselves are not seen: remove one or the other"))]
pub struct AwsGrantSpec {
    /// Name of the AwsIdentity through which the role is assumed.
    #[serde(default = "default_identity")]
    #[schemars(length(min = 1, max = 253))]
    pub identity: String,
    /// ARN of the role. Absent for a session of the identity's own user, where its rule has an identitySession.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$')").message("roleArn is no ARN of a role: write one such as arn:aws:iam::111122223333:role/name"))]
    pub role_arn: Option<String>,
    /// ARNs of the roles through which the role is assumed, the first first. The identity's rule must name each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 2048)))]
    #[x_kube(validation = Rule::new("self.all(arn, arn.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$'))").message("roleChain holds what is no ARN of a role: write such as arn:aws:iam::111122223333:role/name"))]
    pub role_chain: Vec<String>,
    /// What the session may do at most, whatever the role may: an IAM policy as JSON, of 2,048 characters at most without the spaces in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10240))]
    pub policy: Option<String>,
    /// ARNs of managed policies that confine the session; beside policy they widen it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 700)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(arn, arn.matches('^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$'))").message("policyArns holds what is no ARN of a managed policy: write such as arn:aws:iam::aws:policy/name"))]
    pub policy_arns: Vec<String>,
    /// The Amazon Bedrock models that the session may invoke, and nothing else; in place of policy and policyArns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bedrock: Option<Bedrock>,
    /// The AWS region that the pods' SDKs use.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2,}(-[a-z]{2,})+-[0-9]{1,2}$')").message("region is no AWS region: write one such as us-east-1"))]
    pub region: String,
    /// How long a session lives, in seconds.
    #[serde(default = "default_duration_seconds")]
    #[schemars(range(min = 900, max = 43200))]
    pub duration_seconds: i32,
    /// How long before its expiration a session is renewed, such as 30m; half of its life, but at least 20 minutes, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub refresh_before: Option<String>,
    /// The external ID that the role's trust policy asks for, where the identity's rule lets the grant choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1224))]
    #[x_kube(validation = Rule::new("self.size() >= 2 && self.matches('^[A-Za-z0-9_+=,.@:/-]*$')").message("externalId is no external ID: write 2 to 1224 letters, digits and any of _+=,.@:/-"))]
    pub external_id: Option<String>,
    /// The role session name, where the identity's rule lets the grant choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.size() >= 2 && self.matches('^[A-Za-z0-9_+=,.@-]*$')").message("sessionName is no role session name: write 2 to 64 letters, digits and any of _+=,.@-"))]
    pub session_name: Option<String>,
    /// Session tags, where the identity's rule allows their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, !key.lowerAscii().startsWith('alter-') && !key.lowerAscii().startsWith('kubernetes-') && !key.lowerAscii().startsWith('eks-') && !key.lowerAscii().startsWith('aws:'))").message("tags has a reserved key: choose one that does not begin with alter-, kubernetes-, eks- or aws:"))]
    #[x_kube(validation = Rule::new("self.all(key, key.size() >= 1 && key.size() <= 128 && self[key].size() <= 256)").message("tags has a key or value of a wrong length: keys have 1 to 128 characters, values at most 256"))]
    pub tags: BTreeMap<String, String>,
    /// How pods may get the session.
    #[serde(default = "default_deliveries")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub deliveries: Vec<Delivery>,
    /// Where pods get sessions from: one for all of them in a Secret of the namespace, or each from the broker, which keeps none in the cluster.
    #[serde(default)]
    pub store: Store,
    /// Which service accounts of the namespace may use the grant; all where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub service_accounts: Vec<String>,
    /// Name of the Secret that holds the session; the grant's name and `-aws` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub secret_name: Option<String>,
    /// What the Secret carries beside the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_template: Option<SecretTemplate>,
    /// Takes the session away, until it is false again.
    #[serde(default)]
    pub suspend: bool,
    /// After how long without a pod that uses it the session is no longer renewed, such as 1h, at least 10m; the first pod wakes it. Never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub pause_after: Option<String>,
}

/// The Amazon Bedrock models that a session may invoke.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bedrock {
    /// Ids of foundation models, called in spec.region; families such as anthropic.claude-3*; ids of inference profiles such as us.anthropic.claude-3-haiku-20240307-v1:0 or global.amazon.nova-2-lite-v1:0; ARNs of application inference profiles.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(model, model.matches('^([a-z0-9-]+[.][A-Za-z0-9._:-]*[*]?|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:application-inference-profile/[A-Za-z0-9_-]+)$'))").message("bedrock.models holds what is no model: write an id such as anthropic.claude-3-haiku-20240307-v1:0, a family such as anthropic.claude-3*, or the ARN of an application inference profile"))]
    pub models: Vec<String>,
    /// ARN of the guardrail that every invocation must name, and perhaps a colon and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[A-Za-z0-9]+(:([0-9]{1,8}|DRAFT))?$')").message("bedrock.guardrail is no ARN of a guardrail: write one such as arn:aws:bedrock:us-east-1:111122223333:guardrail/abc123def456"))]
    pub guardrail: Option<String>,
}

/// How a pod gets a session.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The SDK runs the helper as its `credential_process`.
    Process,
    /// The SDK asks the agent's container credentials endpoint on loopback.
    Endpoint,
    /// The SDK asks the agent for instance metadata on loopback. Sessions must live for an hour.
    Imds,
}

/// Where pods get sessions from.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Store {
    /// One session for all pods, in a Secret.
    #[default]
    Secret,
    /// The broker, which answers each pod.
    Broker,
}

/// What the Secret carries beside the session.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretTemplate {
    /// Labels to add; none of Alter's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, key.size() <= 317 && self[key].size() <= 63)").message("secretTemplate.labels holds what no label can be: write keys of at most 317 characters and values of at most 63"))]
    #[x_kube(validation = Rule::new("self.all(key, key != 'app.kubernetes.io/managed-by' && key != 'alter.dev' && !key.startsWith('alter.dev/'))").message("secretTemplate.labels holds a label that is Alter's own: remove it"))]
    pub labels: BTreeMap<String, String>,
    /// Annotations to add; none of Alter's own, at most 20, each of at most 1,024 characters.
    // All grants are kept in memory: what one may weigh has a bound.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    #[x_kube(validation = Rule::new("self.all(key, key.size() <= 317 && self[key].size() <= 1024)").message("secretTemplate.annotations holds one that is too long: write keys of at most 317 characters and values of at most 1024"))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('alter.dev/'))").message("secretTemplate.annotations holds an annotation that is Alter's own: remove it"))]
    pub annotations: BTreeMap<String, String>,
    /// Adds `AWS_ACCESS_KEY_ID` and its like for `envFrom`. They expire under a running app.
    #[serde(default)]
    pub env: bool,
}

/// What the operator found.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsGrantStatus {
    /// `Ready`, `IdentityReady` and `Refreshed`, with their reasons; `ServiceAccountsEnforced` where the spec lists some; `RevokedAtAws` where sessions were revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// ARN of the session, as STS answered; of a session without a role, of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_role_arn: Option<String>,
    /// The session's access key id, to find it in CloudTrail; not a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// When the session expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Time>,
    /// When the session was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refresh: Option<Time>,
    /// When the next session is to be issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_refresh: Option<Time>,
    /// The Secret that holds the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Sessions from before were dropped, as annotation alter.dev/revoke-before asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_before: Option<Time>,
    /// How many pods ask for the grant and run without Alter's agent; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_pods: Option<i32>,
    /// With spec.pauseAfter: since when no pod uses the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_since: Option<Time>,
    /// AWS denies sessions from before, too; condition `RevokedAtAws` says by what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_before: Option<Time>,
}

fn default_identity() -> String {
    "default".to_owned()
}

const fn default_duration_seconds() -> i32 {
    3_600
}

fn default_deliveries() -> Vec<Delivery> {
    vec![Delivery::Process, Delivery::Endpoint, Delivery::Imds]
}

impl From<Delivery> for alter_protocol::Delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Process => Self::Process,
            Delivery::Endpoint => Self::Endpoint,
            Delivery::Imds => Self::Imds,
        }
    }
}

impl AwsGrantSpec {
    /// Whether sessions live long enough, and are renewed early enough, for instance metadata.
    #[must_use]
    pub fn is_fit_for_imds(&self) -> bool {
        // What cannot be read is told of elsewhere.
        let before = self.refresh_before().ok().flatten();
        refresh::is_fit_for_imds(self.duration(), before)
    }

    /// The deliveries that pods may use: those that the grant lists and its sessions are fit for.
    #[must_use]
    pub fn deliveries(&self) -> Vec<alter_protocol::Delivery> {
        let listed = self.deliveries.iter().copied();
        listed
            .filter(|own| *own != Delivery::Imds || self.is_fit_for_imds())
            .map(Into::into)
            .collect()
    }

    /// What the grant asks of its identity, as plain values.
    #[must_use]
    pub fn request<'a>(
        &'a self,
        namespace: &'a str,
        namespace_labels: &'a BTreeMap<String, String>,
    ) -> allow::Request<'a> {
        allow::Request {
            namespace,
            namespace_labels,
            role_chain: &self.role_chain,
            role_arn: self.role_arn.as_deref(),
            has_policy: self.is_confined(),
            duration_seconds: self.duration_seconds,
            tags: &self.tags,
            sets_external_id: self.external_id.is_some(),
            sets_session_name: self.session_name.is_some(),
            from_broker: self.store == Store::Broker,
        }
    }
}

impl AwsGrant {
    /// The Secret that holds the grant's session.
    #[must_use]
    pub fn secret_name(&self) -> String {
        self.spec
            .secret_name
            .clone()
            .unwrap_or_else(|| format!("{}{}", self.name_any(), names::secret::SUFFIX))
    }

    /// Sessions from before this are to be dropped, as the grant's annotation says.
    pub fn revoke_before(&self) -> Result<Option<Timestamp>, FieldError> {
        const ANNOTATION: &str = names::grant::REVOKE_BEFORE;
        let Some(text) = self.annotations().get(ANNOTATION) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            let problem = format!(
                "{shown:?} is no RFC 3339 time: write one such as 2026-11-22T05:00:00Z, or remove it"
            );
            FieldError::new(format!("metadata.annotations[{ANNOTATION}]"), &problem)
        })
    }

    /// What agents must know of the grant beside its session.
    #[must_use]
    pub fn document(&self) -> GrantDocument {
        let spec = &self.spec;
        GrantDocument {
            version: alter_protocol::grant::VERSION,
            namespace: self.namespace().unwrap_or_default(),
            grant: self.name_any(),
            region: spec.region.clone(),
            role_arn: spec.role_arn.clone().unwrap_or_default(),
            service_accounts: spec.service_accounts.clone(),
            deliveries: spec.deliveries().iter().map(ToString::to_string).collect(),
            revoked: None,
        }
    }
}

/// Why an identity does not allow a grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// A rule of the identity cannot be read, so none of them decides.
    #[error(transparent)]
    Rules(#[from] FieldError),
    /// No rule covers the grant.
    #[error(transparent)]
    Denied(#[from] allow::Denial),
}

/// Decides whether an identity allows a grant; gives the index of the rule that does.
pub fn allows(
    identity: &AwsIdentitySpec,
    grant: &AwsGrantSpec,
    namespace: &str,
    namespace_labels: &BTreeMap<String, String>,
) -> Result<usize, NotAllowed> {
    Ok(allow::decide(
        &identity.rules()?,
        &identity.own_roles(),
        &grant.request(namespace, namespace_labels),
    )?)
}

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
