//! Writes the table of hosts: `alter-sigv4-tablegen DATA FILE`, where DATA is what `endpoints.py` wrote, compressed.

mod data;
mod hosts;
mod partitions;

use std::{error::Error, fs, path::PathBuf};

const USAGE: &str = "usage: alter-sigv4-tablegen DATA FILE (see `make tables`)";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (data, file) = args.next().zip(args.next()).ok_or(USAGE)?;
    let table = hosts::table(&data::read(&data)?)?;
    fs::write(file, table)?;
    Ok(())
}
