//! `alter-bench`: measures the programs, each against a floor of the same run.

use alter_bench::run::{Args, run};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails where one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
