//! The program itself, with an environment of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = "[default]
region = eu-west-1
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default-secret

[profile other]
region = ap-southeast-2
aws_access_key_id = AKIAOTHER
aws_secret_access_key = other-secret

[profile helped]
region = us-west-2
credential_process = printf '{\"Version\":1,\"AccessKeyId\":\"ASIAHELPED\",\"SecretAccessKey\":\"helped-secret\",\"SessionToken\":\"helped-token\",\"Expiration\":\"2099-01-01T00:00:00Z\"}'
";

/// Runs `alter` with a configuration file, and nothing else of this machine.
pub(crate) fn alter(
    home: &Path,
    args: &[&str],
    environment: &[(&str, &str)],
    input: &str,
) -> Output {
    let config = home.join("config");
    std::fs::write(&config, CONFIG).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_alter"))
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("AWS_CONFIG_FILE", config)
        .env("AWS_SHARED_CREDENTIALS_FILE", home.join("none"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    program.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
