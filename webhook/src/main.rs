//! `alter-webhook`: injects the agent into pods, and validates both kinds.

use alter_runtime::{logging, tls};
use alter_webhook::{args::Args, serve};
use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tls::install_crypto_provider();
    let args = Args::parse();
    logging::init(&args.server.log, args.server.log_format);
    match serve::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the webhook ends");
            ExitCode::FAILURE
        }
    }
}
