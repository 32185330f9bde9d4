//! `alter`: what a person types.

use std::process::ExitCode;

use alter_cli::args::Args;
use alter_cli::run;
use clap::Parser as _;

fn main() -> ExitCode {
    let ended = run::run(&Args::parse().command);
    let Err(failure) = ended else {
        return ExitCode::SUCCESS;
    };
    let code = failure.exit_code();
    if code != ExitCode::SUCCESS {
        eprintln!("alter: {failure}");
    }
    code
}
