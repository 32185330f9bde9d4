//! The inputs that `make fuzz` begins with, and those that it once found something with.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

/// Gives every file of a corpus to its target, which panics where something does not hold.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut tried = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        // Printed where it fails.
        eprintln!("{}", path.display());
        target(&std::fs::read(path).unwrap());
        tried += 1;
    }
    assert!(tried > 10, "{name}: {tried}");
}

#[test]
fn hosts() {
    replay("hosts", targets::hosts);
}

#[test]
fn requests() {
    replay("requests", targets::requests);
}

#[test]
fn tokens() {
    replay("tokens", targets::tokens);
}
