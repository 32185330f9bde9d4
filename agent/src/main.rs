//! `alter-agent`: the injected native sidecar.

use std::process::ExitCode;

use alter_agent::args::Command;
use alter_agent::{serve, socket};
use clap::Parser as _;

fn main() -> ExitCode {
    match Command::parse() {
        Command::Serve(args) => {
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_writer(std::io::stderr)
                .init();
            let ended = serve::run(args.into_settings());
            if let Err(error) = &ended {
                tracing::error!(%error, "cannot run");
            }
            ExitCode::from(u8::from(ended.is_err()))
        }
        Command::Ready(args) => {
            let ready = socket::ask_ready(&args.into_layout().socket());
            // The kubelet shows it in the pod's events.
            let (Ok(line) | Err(line)) = &ready;
            eprintln!("{line}");
            ExitCode::from(u8::from(ready.is_err()))
        }
    }
}
