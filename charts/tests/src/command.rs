//! `helm` and `kubectl`, as people would type them.

use crate::Failure;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Runs a program with `stdin`: its standard output, or everything it said where it exits with another code than 0.
pub fn run(program: &str, arguments: &[&str], stdin: &str) -> Result<String, Failure> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!("{program}: {error}; charts/tests/run provides it and an API server")
        })?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let stdout = String::from_utf8(output.stdout)?;
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {stdout}{stderr}", arguments.join(" ")).into())
}

/// `kubectl` with the rights of a cluster's administrator.
pub fn kubectl(arguments: &[&str], stdin: &str) -> Result<String, Failure> {
    run("kubectl", arguments, stdin)
}
