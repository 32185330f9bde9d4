//! Writes what a shell and `man` know of `alter`: `alter-cli-pagegen FOLDER`.

use alter_cli::args::Args;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate_to};
use std::{error::Error, fs, path::PathBuf};

const USAGE: &str = "usage: alter-cli-pagegen FOLDER (see `make pages`)";
const NAME: &str = "alter";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or(USAGE)?);
    let (completions, man) = (folder.join("completions"), folder.join("man"));
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Args::command(), NAME, &completions)?;
    }
    // One page for each verb.
    clap_mangen::generate_to(Args::command(), &man)?;
    Ok(())
}
