//! `alter-operator`: sessions for grants, and the webhook's certificate.

// The futures of a call to AWS nest deeper than the default lets the compiler look.
#![recursion_limit = "256"]

use alter_operator::{app, args::Args};
use alter_runtime::{logging, shutdown, tls};
use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tls::install_crypto_provider();
    let args = Args::parse();
    logging::init(&args.server.log, args.server.log_format);
    let shutdown = shutdown::on_signal();
    match Box::pin(app::run(args, shutdown)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator ends");
            ExitCode::FAILURE
        }
    }
}
