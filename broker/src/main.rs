//! `alter-broker`: sessions for pods that keep none in a Secret.

use alter_broker::{args::Args, serve};
use alter_runtime::{logging, tls};
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
            tracing::error!(%error, "the broker ends");
            ExitCode::FAILURE
        }
    }
}
