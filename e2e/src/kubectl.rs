//! `kubectl`, for what people would type themselves: exec, logs, apply.

use crate::{Failure, wait::DEADLINE};
use std::process::Stdio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// Whether it exited with 0.
    pub success: bool,
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command that goes on until [`Running::finish`] closes its standard input.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts `kubectl`.
    pub fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let child = Command::new("kubectl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("kubectl {}: {error}", arguments.join(" ")))?;
        Ok(Self(child))
    }

    /// Starts a program in a pod's container, with standard input.
    pub fn exec(
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[&str],
    ) -> Result<Self, Failure> {
        let mut arguments = vec!["exec", "-i", "-n", namespace, pod, "-c", container, "--"];
        arguments.extend(command);
        Self::start(&arguments)
    }

    /// Waits for the next line that it prints.
    pub async fn line(&mut self) -> Result<String, Failure> {
        let pipe = self.0.stdout.as_mut().ok_or("its output was taken")?;
        // Byte by byte, so that nothing of what follows is lost.
        let read = async {
            let mut line = Vec::new();
            loop {
                match pipe.read_u8().await {
                    Ok(b'\n') => return Ok(line),
                    Ok(byte) => line.push(byte),
                    Err(error) => return Err(error),
                }
            }
        };
        let line = timeout(DEADLINE, read).await;
        let line = line.map_err(|_| format!("kubectl said nothing within {DEADLINE:?}"))??;
        Ok(String::from_utf8(line)?)
    }

    /// Gives it `stdin` and nothing after, and waits until it ends.
    pub async fn finish(mut self, stdin: &str) -> Result<Output, Failure> {
        let write = async {
            if let Some(mut pipe) = self.0.stdin.take() {
                // One that ended already reads no more: its exit code says why.
                let _ = pipe.write_all(stdin.as_bytes()).await;
            }
            self.0.wait_with_output().await
        };
        let output = timeout(DEADLINE, write)
            .await
            .map_err(|_| format!("kubectl did not end within {DEADLINE:?}"))??;
        Ok(Output {
            success: output.status.success(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// Runs `kubectl` with `stdin`; an exit code other than 0 is no error here.
pub async fn try_run(arguments: &[&str], stdin: &str) -> Result<Output, Failure> {
    let finished = Running::start(arguments)?.finish(stdin).await;
    finished.map_err(|error| format!("kubectl {}: {error}", arguments.join(" ")).into())
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

/// One field of an object, by `JSONPath` without its braces; empty where it is absent.
pub async fn field(namespace: &str, kind: &str, name: &str, path: &str) -> Result<String, Failure> {
    let path = format!("jsonpath={{{path}}}");
    run(&["get", kind, name, "-n", namespace, "-o", &path]).await
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
