//! The client of STS.

use crate::{
    failure::{Failure, StsError},
    mend::{Asked, By, Wanted},
    request::RoleRequest,
    source::Source,
};
use alter_protocol::Session;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Config, Region, retry::RetryConfig, timeout::TimeoutConfig},
    types::{Credentials, PolicyDescriptorType, Tag},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};
use zeroize::Zeroizing;

/// How long each part of a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// TCP and TLS.
    pub(crate) connect: Duration,
    /// From the request to the first byte of the answer.
    pub(crate) read: Duration,
    /// The whole call, with getting the source credentials.
    pub(crate) whole: Duration,
}

pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    read: Duration::from_secs(10),
    whole: Duration::from_secs(25),
};

/// Whom a client asks, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region whose STS is asked, and that calls are signed for.
    pub region: String,
    /// A URL in place of AWS's own.
    pub endpoint: Option<String>,
    /// Where the credentials come from.
    pub source: Source,
}

/// A client of STS for one identity. Clones share their connections and their source credentials.
#[derive(Clone, Debug)]
pub struct Sts {
    pub(crate) client: Client,
    place: String,
    by: By,
}

/// Who AWS says the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account_id: String,
    /// The principal.
    pub arn: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// The credentials.
    pub session: Session,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; the role's path is not in it. Of a session without a
    /// role, the ARN of its user.
    pub assumed_role_arn: String,
    /// The source identity that it carries, which no session after it can change.
    pub source_identity: Option<String>,
}

impl Sts {
    /// Makes a client; nobody is asked yet.
    ///
    /// Each call is tried once: who calls decides by the failure's class when to try again. Settings of
    /// the environment other than credentials are not read.
    pub async fn new(settings: Settings) -> Self {
        Self::with_limits(settings, LIMITS).await
    }

    async fn with_limits(settings: Settings, limits: Limits) -> Self {
        let region = Region::new(settings.region);
        let by = settings.source.by();
        let provider = settings.source.provider(region.clone()).await;
        let (client, place) = client(region, settings.endpoint, Some(provider), limits);
        Self { client, place, by }
    }

    /// `sts:GetCallerIdentity`, which AWS allows every caller it knows.
    pub async fn caller_identity(&self) -> Result<Caller, StsError> {
        let asked = self.asked(None);
        let fail = |failure| StsError::GetCallerIdentity {
            failure: Box::new(failure),
        };
        let answer = self.client.get_caller_identity().send().await;
        let output = answer.map_err(|error| fail(Failure::of(&error, &asked)))?;
        let (Some(account_id), Some(arn)) = (output.account, output.arn) else {
            return Err(fail(Failure::incomplete("account or ARN", &asked)));
        };
        Ok(Caller { account_id, arn })
    }

    /// `sts:AssumeRole`.
    pub async fn assume_role(&self, request: &RoleRequest) -> Result<Assumed, StsError> {
        let asked = self.asked(Some(Wanted::Role(request)));
        let fail = |failure| StsError::AssumeRole {
            role_arn: request.role_arn.clone(),
            failure: Box::new(failure),
        };
        let call = self
            .client
            .assume_role()
            .role_arn(&request.role_arn)
            .role_session_name(&request.session_name)
            .duration_seconds(request.duration_seconds)
            .set_external_id(request.external_id.clone())
            .set_source_identity(request.source_identity.clone())
            .set_tags(tags(&request.tags))
            .set_policy(request.policy.document.clone())
            .set_policy_arns(policy_arns(&request.policy.arns));
        let answer = call.send().await;
        let output = answer.map_err(|error| fail(Failure::of(&error, &asked)))?;
        let arn = output.assumed_role_user.map(|user| user.arn);
        let assumed = session(output.credentials, arn.ok_or("AssumedRoleUser"));
        let assumed = assumed.map_err(|field| fail(Failure::incomplete(field, &asked)))?;
        Ok(Assumed {
            source_identity: output.source_identity,
            ..assumed
        })
    }

    pub(crate) fn asked<'a>(&'a self, request: Option<Wanted<'a>>) -> Asked<'a> {
        Asked {
            place: &self.place,
            request,
            by: self.by,
        }
    }
}

/// The SDK's client, without credentials for calls that nobody signs; and whom it asks, as people name it.
pub(crate) fn client(
    region: Region,
    endpoint: Option<String>,
    provider: Option<SharedCredentialsProvider>,
    limits: Limits,
) -> (Client, String) {
    let place = endpoint
        .clone()
        .unwrap_or_else(|| format!("STS in {region}"));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .read_timeout(limits.read)
        .operation_timeout(limits.whole)
        .build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    config.set_endpoint_url(endpoint);
    config.set_credentials_provider(provider);
    (Client::from_conf(config.build()), place)
}

/// Tags as the SDK has them; what is not set is not sent.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> Option<Vec<Tag>> {
    let tags: Vec<_> = tags
        .iter()
        .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok())
        .collect();
    (!tags.is_empty()).then_some(tags)
}

/// Managed policies as the SDK has them; what is not set is not sent.
pub(crate) fn policy_arns(arns: &[String]) -> Option<Vec<PolicyDescriptorType>> {
    let arns = arns
        .iter()
        .map(|arn| PolicyDescriptorType::builder().arn(arn).build());
    let arns: Vec<_> = arns.collect();
    (!arns.is_empty()).then_some(arns)
}

/// A session out of the parts of an answer of STS; the error names what lacks.
pub(crate) fn session(
    credentials: Option<Credentials>,
    arn: Result<String, &'static str>,
) -> Result<Assumed, &'static str> {
    let credentials = credentials.ok_or("Credentials")?;
    let arn = arn?;
    let expiration = credentials.expiration;
    let nanoseconds = i32::try_from(expiration.subsec_nanos()).map_err(|_| "Expiration")?;
    Ok(Assumed {
        session: Session {
            access_key_id: credentials.access_key_id,
            secret_access_key: Zeroizing::new(credentials.secret_access_key),
            session_token: Zeroizing::new(credentials.session_token),
            expiration: Timestamp::new(expiration.secs(), nanoseconds).map_err(|_| "Expiration")?,
        },
        assumed_role_arn: arn,
        source_identity: None,
    })
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
