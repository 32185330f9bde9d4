//! Prints what the AWS SDK for Rust's default chain finds, the access key id and when it expires, and who
//! STS says that is. Fails with the chain's own words.

use std::error::Error;
use std::time::UNIX_EPOCH;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::error::DisplayErrorContext;
use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "what it is for")]
async fn main() -> std::process::ExitCode {
    match probe().await {
        Ok(line) => {
            println!("{line}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", DisplayErrorContext(&*error));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn probe() -> Result<String, Box<dyn Error>> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let chain = config.credentials_provider().ok_or("no default chain")?;
    let credentials = chain.provide_credentials().await?;
    let expiry = credentials.expiry().ok_or("a session without an expiry")?;
    let seconds = expiry.duration_since(UNIX_EPOCH)?.as_secs().try_into()?;
    let expiration = DateTime::from_secs(seconds).fmt(DateTimeFormat::DateTime)?;
    let identity = aws_sdk_sts::Client::new(&config)
        .get_caller_identity()
        .send()
        .await?;
    let arn = identity.arn().ok_or("an identity without an ARN")?;
    Ok(format!(
        "{} {expiration} {arn}",
        credentials.access_key_id()
    ))
}
