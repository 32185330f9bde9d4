//! Whose credentials sign: those of a profile, or what the SDKs' default chain finds.

use alter_sigv4::sign;
use aws_config::Region;
use aws_config::default_provider::credentials::{Builder, DefaultCredentialsChain};
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use jiff::Timestamp;
use std::error::Error;
use thiserror::Error;

/// Why there is nothing to sign with.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The chain or the profile has none.
    #[error(
        "no credentials from {from}: {reason}; check `aws sts get-caller-identity`, or name a profile with --profile"
    )]
    Credentials {
        /// The chain, or the profile.
        from: String,
        /// What the SDK said, to its last cause.
        reason: String,
    },
    /// Nothing says the region.
    #[error("no region; give --region, or set AWS_REGION")]
    Region,
}

/// What signs. Has no `Debug`.
pub struct Source {
    credentials: Credentials,
    /// Given, or found where the credentials are configured.
    region: Option<String>,
}

impl Source {
    /// Asks the chain or the profile.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn find(profile: Option<&str>, region: Option<String>) -> Result<Self, SourceError> {
        let region = match region {
            Some(region) => Some(region),
            None => find_region(profile).await,
        };
        let (from, found) = match profile {
            // Named on purpose: it comes before the environment, which the default chain asks first.
            Some(profile) => (
                format!("the profile {profile}"),
                ProfileFileCredentialsProvider::builder()
                    .profile_name(profile)
                    .build()
                    .provide_credentials()
                    .await,
            ),
            None => (
                "the default chain".to_owned(),
                default_chain(region.clone())
                    .build()
                    .await
                    .provide_credentials()
                    .await,
            ),
        };
        let credentials = found.map_err(|error| SourceError::Credentials {
            from,
            reason: causes(&error),
        })?;
        Ok(Self {
            credentials,
            region,
        })
    }

    /// The region that was given or found.
    ///
    /// # Errors
    /// [`SourceError::Region`].
    pub fn region(&self) -> Result<&str, SourceError> {
        self.region.as_deref().ok_or(SourceError::Region)
    }

    /// What a signature is made of.
    #[must_use]
    pub fn credentials(&self) -> sign::Credentials<'_> {
        sign::Credentials {
            access_key_id: self.credentials.access_key_id(),
            secret_access_key: self.credentials.secret_access_key(),
            session_token: self.credentials.session_token(),
        }
    }

    /// When it is no good any more, if it says so.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.credentials
            .expiry()
            .and_then(|time| Timestamp::try_from(time).ok())
    }
}

/// The chain asks STS in this region, where it does.
fn default_chain(region: Option<String>) -> Builder {
    let chain = DefaultCredentialsChain::builder();
    match region {
        Some(region) => chain.region(Region::new(region)),
        None => chain,
    }
}

async fn find_region(profile: Option<&str>) -> Option<String> {
    let mut of_profile = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        of_profile = of_profile.profile_name(profile);
    }
    // Without instance metadata, which keeps a laptop waiting.
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(of_profile.build())
        .region()
        .await
        .map(|region| region.to_string())
}

/// The SDK's outermost words say little.
fn causes(error: &CredentialsError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
