//! `kubectl`, for what people would type themselves: exec, logs, apply.

use crate::Failure;
use std::process::Stdio;
use tokio::{io::AsyncWriteExt, process::Command};

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// Whether it exited with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `kubectl` with `stdin`; an exit code other than 0 is no error here.
pub async fn try_run(arguments: &[&str], stdin: &str) -> Result<Output, Failure> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    Ok(Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `kubectl` and gives its standard output.
pub async fn run(arguments: &[&str]) -> Result<String, Failure> {
    let output = try_run(arguments, "").await?;
    if output.success {
        Ok(output.stdout)
    } else {
        Err(format!(
            "kubectl {}: {}{}",
            arguments.join(" "),
            output.stdout,
            output.stderr
        )
        .into())
    }
}

/// Runs a program in a pod's container.
pub async fn exec(
    namespace: &str,
    pod: &str,
    container: &str,
    command: &[&str],
) -> Result<Output, Failure> {
    let mut arguments = vec!["exec", "-n", namespace, pod, "-c", container, "--"];
    arguments.extend(command);
    try_run(&arguments, "").await
}

/// Applies YAML in a namespace, as a person would; gives what `kubectl` said to it.
pub async fn apply(namespace: &str, yaml: &str) -> Result<Output, Failure> {
    try_run(&["apply", "-n", namespace, "-f", "-"], yaml).await
}
