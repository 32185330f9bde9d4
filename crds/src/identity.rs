//! `AwsIdentity`: who Alter is when it calls STS, and who may use that.

use alter_policy::allow;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who Alter is when it calls STS, and which namespaces may ask for which roles through it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "alter.dev",
    version = "v1alpha1",
    kind = "AwsIdentity",
    plural = "awsidentities",
    shortname = "awsid",
    category = "alter",
    status = "AwsIdentityStatus",
    doc = "Who Alter is when it calls STS, and which namespaces may ask for which roles through it.",
    printcolumn(json_path = ".status.arn", name = "Principal", type_ = "string"),
    printcolumn(
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        name = "Ready",
        type_ = "string"
    ),
    printcolumn(
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        name = "Reason",
        type_ = "string"
    ),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    ),
    printcolumn(
        json_path = ".status.brokerArn",
        name = "Broker",
        type_ = "string",
        priority = 1
    ),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.credentials.accessKey) || !has(self.allow) || self.allow.all(rule, !has(rule.identitySession))").message("identitySession of a rule needs credentials.accessKey: AWS gives such sessions by a user's own key alone"))]
pub struct AwsIdentitySpec {
    /// The region whose STS is called.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2,}(-[a-z]{2,})+-[0-9]{1,2}$')").message("region is no AWS region: write one such as us-east-1"))]
    pub region: String,
    /// Endpoints in place of AWS's own: VPC endpoints, emulators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// Where Alter's own credentials come from: exactly one of the sources.
    pub credentials: Credentials,
    /// What AWS may trust about a session, and tenants therefore do not choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionTemplate>,
    /// How sessions that are out already are taken back at AWS, where a grant's annotation alter.dev/revoke-before asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// Which namespaces may ask for which roles. What no rule allows is denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub allow: Vec<AllowRule>,
}

/// Endpoints in place of AWS's own.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// URL of STS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''").message("endpoints.sts is no URL: write one such as https://sts.us-east-1.amazonaws.com"))]
    pub sts: Option<String>,
    /// URL of IAM Roles Anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''").message("endpoints.rolesanywhere is no URL: write one such as https://rolesanywhere.us-east-1.amazonaws.com"))]
    pub rolesanywhere: Option<String>,
    /// URL of IAM, which is asked for revocations alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''").message("endpoints.iam is no URL: write one such as https://iam.amazonaws.com"))]
    pub iam: Option<String>,
}

/// How sessions that are out already are taken back at AWS: by a policy on the grant's role that denies those from
/// before a time.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// ARN of a role in the account of the grants' roles, which is assumed for this alone. Its trust policy must let Alter's principal assume it, and its own policy allow iam:GetRolePolicy, iam:PutRolePolicy and iam:DeleteRolePolicy on the grants' roles and nothing else: whoever has such a session can give those roles rights, too.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$')").message("revocation.roleArn is no ARN of a role: write one such as arn:aws:iam::111122223333:role/alter-revocation"))]
    pub role_arn: String,
    /// Whether every session of a grant's role from before the time may be denied, other grants' and other people's too, where sessions carry no tags that tell them apart (session.tags.enabled). Whoever may annotate a grant of the role can then cut off all who use it.
    #[serde(default)]
    pub whole_role: bool,
}

impl AwsIdentitySpec {
    /// The roles that Alter itself works as, where the spec says which: the one that is its own principal, and the
    /// one for revocations. No pattern of a rule gives them by a `*`.
    #[must_use]
    pub fn own_roles(&self) -> Vec<&str> {
        let revocation = self.revocation.as_ref().map(|own| own.role_arn.as_str());
        self.credentials
            .own_role()
            .into_iter()
            .chain(revocation)
            .collect()
    }
}

/// Where Alter's own credentials come from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.ambient), has(self.accessKey), has(self.webIdentity), has(self.rolesAnywhere)].exists_one(own, own)").message("credentials must name exactly one source: write ambient, accessKey, webIdentity or rolesAnywhere"))]
pub struct Credentials {
    /// The operator's own default chain: IRSA, EKS Pod Identity, instance metadata, environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Ambient>,
    /// An IAM user's access key in a Secret of the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<AccessKey>,
    /// A role that is entered by a token of a service account of the operator's namespace; no AWS key anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_identity: Option<WebIdentity>,
    /// A role that is entered by an X.509 certificate, through IAM Roles Anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles_anywhere: Option<RolesAnywhere>,
}

impl Credentials {
    /// The Secret of the operator's namespace that the source is in, if it is in one.
    #[must_use]
    pub fn secret_name(&self) -> Option<&str> {
        let key = self.access_key.as_ref().map(|own| &own.secret_ref);
        let certificate = self.roles_anywhere.as_ref();
        key.or(certificate.map(|own| &own.certificate_secret_ref))
            .map(|secret| secret.name.as_str())
    }

    /// The role that the source is a session of, where the identity itself says which.
    #[must_use]
    pub fn own_role(&self) -> Option<&str> {
        let token = self.web_identity.as_ref().map(|own| &own.role_arn);
        let certificate = self.roles_anywhere.as_ref().map(|own| &own.role_arn);
        token.or(certificate).map(String::as_str)
    }
}

/// The operator's own default chain; has no settings.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ambient {}

/// An access key in a Secret.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessKey {
    /// The Secret, in the operator's namespace, with the keys `accessKeyId` and `secretAccessKey`.
    pub secret_ref: SecretRef,
}

/// `sts:AssumeRoleWithWebIdentity` with a token of a service account.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebIdentity {
    /// ARN of the role.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$')").message("webIdentity.roleArn is no ARN of a role: write one such as arn:aws:iam::111122223333:role/alter"))]
    pub role_arn: String,
    /// The token's audience, as IAM's OIDC provider has it.
    #[serde(default = "default_audience")]
    #[schemars(length(min = 1, max = 255))]
    pub audience: String,
    /// The service account, in the operator's namespace. The chart's value operator.webIdentity.serviceAccounts must name it.
    pub service_account_ref: ServiceAccountRef,
}

fn default_audience() -> String {
    "sts.amazonaws.com".to_owned()
}

/// A service account of the operator's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccountRef {
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// `rolesanywhere:CreateSession` with an X.509 certificate.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolesAnywhere {
    /// ARN of the trust anchor, whose region is asked.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[A-Za-z0-9-]+$')").message("rolesAnywhere.trustAnchorArn is no ARN of a trust anchor: write one such as arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/ and its id"))]
    pub trust_anchor_arn: String,
    /// ARN of the profile, of the same region.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:profile/[A-Za-z0-9-]+$')").message("rolesAnywhere.profileArn is no ARN of a profile: write one such as arn:aws:rolesanywhere:us-east-1:111122223333:profile/ and its id"))]
    pub profile_arn: String,
    /// ARN of the role, which the profile must name.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$')").message("rolesAnywhere.roleArn is no ARN of a role: write one such as arn:aws:iam::111122223333:role/alter"))]
    pub role_arn: String,
    /// The Secret, in the operator's namespace, with the keys `tls.crt` (the certificate, then its CAs) and `tls.key`, as cert-manager writes them.
    pub certificate_secret_ref: SecretRef,
}

/// A Secret of the operator's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRef {
    /// Its name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// Templates over `{namespace}`, `{grant}` and `{cluster}`; for grants with store Broker also over
/// `{serviceAccount}` and `{pod}`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionTemplate {
    /// The role session name; `alter.{namespace}.{grant}` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,
    /// The source identity. The role's trust policy must allow sts:SetSourceIdentity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub source_identity: Option<String>,
    /// The external ID that the role's trust policy asks for. A character that neither holds, such as `:`, must stand between `{namespace}` and `{grant}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1224))]
    pub external_id: Option<String>,
    /// Tags that every session carries. The role's trust policy must allow sts:TagSession.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<SessionTags>,
}

/// Tags that every session carries.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTags {
    /// Whether sessions carry Alter's own: `alter-namespace`, `alter-grant` and `alter-cluster`, and with store Broker `alter-service-account` and `alter-pod`.
    #[serde(default)]
    pub enabled: bool,
    /// Templates of more tags' values, by key. Grants cannot set these keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 45))]
    #[x_kube(validation = Rule::new("self.all(key, key.size() >= 1 && key.size() <= 128 && self[key].size() <= 256)").message("tags.values has a key or template of a wrong length: keys have 1 to 128 characters, templates at most 256"))]
    pub values: BTreeMap<String, String>,
}

/// These namespaces may ask for these roles.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.roleArns) || has(self.identitySession)").message("a rule of allow gives nothing: write roleArns, or identitySession"))]
#[x_kube(validation = Rule::new("has(self.roleArns) || !has(self.chainArns)").message("chainArns of a rule lead nowhere: write roleArns too, the roles behind them that grants may have"))]
pub struct AllowRule {
    /// Which namespaces: by name, or by label.
    pub namespaces: NamespaceRule,
    /// ARNs of the roles that grants may have, in which `*` stands for any characters, as in IAM policies. Alter's own roles, those of `credentials` and `revocation`, are given only where they are written out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 20, max = 2048)))]
    pub role_arns: Vec<String>,
    /// ARNs, of the same form, of the roles that grants may pass through (`roleChain`) on the way to one of `roleArns`, and not have, such as a hub. Those of `roleArns` they may pass through too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 20, max = 2048)))]
    pub chain_arns: Vec<String>,
    /// The longest session, in seconds; as the role itself allows where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 900, max = 43200))]
    pub max_duration_seconds: Option<i32>,
    /// Session tag keys that grants may set; `*` stands for any that is not reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 128)))]
    pub tag_keys: Vec<String>,
    /// `FromGrant` lets grants choose their external ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<FromGrant>,
    /// `FromGrant` lets grants choose their session name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<FromGrant>,
    /// Lets grants without a role have sessions of the identity's own user: `Federated` ones, which the grant's session policy confines, or `Full` ones, which nothing confines. Needs an access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_session: Option<IdentitySession>,
    /// Where sessions may come from beside a Secret, which is always allowed, and is not written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub stores: Vec<AllowedStore>,
}

/// Another place than a Secret from which sessions come.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowedStore {
    /// The broker.
    Broker,
}

/// A session of the identity's own user, without a role.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentitySession {
    /// By sts:GetFederationToken.
    Federated,
    /// By sts:GetSessionToken.
    Full,
}

impl From<IdentitySession> for allow::IdentitySession {
    fn from(session: IdentitySession) -> Self {
        match session {
            IdentitySession::Federated => Self::Federated,
            IdentitySession::Full => Self::Full,
        }
    }
}

/// Hands a choice over to grants.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGrant {
    /// The grant chooses.
    FromGrant,
}

/// Namespaces by name or by label.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.names) || has(self.selector)").message("namespaces selects none: write names, or a selector; an empty selector selects every namespace"))]
pub struct NamespaceRule {
    /// Exact names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 500), inner(length(min = 1, max = 63)))]
    pub names: Vec<String>,
    /// A label selector; an empty one selects every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// What operator and broker found.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsIdentityStatus {
    /// `Ready`, with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The account that AWS says the operator is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The principal that AWS says the operator is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The principal that AWS says the broker is, where the identity allows it; the broker writes this field, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub broker_arn: Option<String>,
    /// Since when AWS says that `arn` is the operator; sessions of one role are one principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When AWS last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<Time>,
    /// The generation of the spec that this status is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
