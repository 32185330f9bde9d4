//! The program itself, with an environment of its own.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

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
fn alter(home: &Path, args: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
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

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What `alter token decode` says of the token that `alter token` makes.
fn decoded(args: &[&str], environment: &[(&str, &str)]) -> serde_json::Value {
    let home = tempfile::tempdir().unwrap();
    let made = alter(home.path(), args, environment, "");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let shown = alter(
        home.path(),
        &["token", "decode", "--output", "json"],
        &[],
        text(&made.stdout),
    );
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(!text(&shown.stdout).contains("ignature"));
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[test]
fn hosts_are_answered_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    let answered = alter(
        home.path(),
        &["hosts"],
        &[],
        "iam.amazonaws.com\nexample.com\n",
    );
    assert!(answered.status.success());
    assert_eq!(
        text(&answered.stdout),
        "iam.amazonaws.com\tiam\tus-east-1\tsigv4\nexample.com\t-\t-\t-\n"
    );
    assert!(text(&answered.stderr).starts_with("example.com: "));
}

#[test]
fn the_default_chain_signs_unless_a_profile_is_named() {
    const KEYS: &[(&str, &str)] = &[
        ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    for (args, environment, key, region) in [
        (
            &["token", "bedrock"][..],
            &[][..],
            "AKIADEFAULT",
            "eu-west-1",
        ),
        (&["token", "bedrock"], KEYS, "AKIAENVIRONMENT", "eu-west-1"),
        (
            &["token", "bedrock", "--profile", "other"],
            KEYS,
            "AKIAOTHER",
            "ap-southeast-2",
        ),
        (
            &[
                "token",
                "anthropic",
                "--profile",
                "other",
                "--region",
                "us-east-1",
            ],
            KEYS,
            "AKIAOTHER",
            "us-east-1",
        ),
        (
            &["token", "anthropic"],
            &[("AWS_REGION", "us-west-1")],
            "AKIADEFAULT",
            "us-west-1",
        ),
        (
            &["token", "anthropic"],
            &[("AWS_PROFILE", "other")],
            "AKIAOTHER",
            "ap-southeast-2",
        ),
        (
            &["token", "bedrock", "--profile", "helped"],
            &[],
            "ASIAHELPED",
            "us-west-2",
        ),
    ] {
        let shown = decoded(args, environment);
        assert_eq!(
            (&shown["access_key_id"], &shown["region"]),
            (&key.into(), &region.into()),
            "{args:?}"
        );
        assert_eq!(shown["kind"], args[1]);
        assert_eq!(shown["session"], key.starts_with("ASIA"));
    }
}

#[test]
fn a_token_is_printed_alone_as_json_or_for_a_shell() {
    let home = tempfile::tempdir().unwrap();
    let print = |args: &[&str]| {
        let made = alter(home.path(), args, &[], "");
        assert_eq!((made.status.code(), text(&made.stderr)), (Some(0), ""));
        text(&made.stdout).to_owned()
    };
    assert!(print(&["token", "bedrock"]).starts_with("bedrock-api-key-"));
    let line = print(&["token", "anthropic", "--output", "env"]);
    assert!(
        line.starts_with("export ANTHROPIC_AWS_API_KEY=aws-external-anthropic-api-key-"),
        "{line}"
    );
    assert!(
        line.trim_end()
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_+/= ".contains(&b)),
        "{line}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&print(&["token", "bedrock", "--output", "json"])).unwrap();
    assert_eq!(
        (&json["kind"], &json["region"]),
        (&"bedrock".into(), &"eu-west-1".into())
    );
    assert!(json["token"].is_string() && json["expires"].is_string());
}

#[test]
fn what_fails_says_what_to_do_and_holds_no_secret() {
    let home = tempfile::tempdir().unwrap();
    for (args, input, code, says) in [
        (
            &["token", "bedrock", "--lifetime", "12h1s"][..],
            "",
            1,
            "12 hours",
        ),
        (&["token", "bedrock", "--lifetime", "0s"], "", 1, "1 second"),
        (
            &["token", "bedrock", "--lifetime", "soon"],
            "",
            2,
            "--lifetime",
        ),
        (
            &["token", "bedrock", "--region", "nowhere at all"],
            "",
            1,
            "no region",
        ),
        (
            &[
                "token",
                "bedrock",
                "--profile",
                "absent",
                "--region",
                "us-east-1",
            ],
            "",
            1,
            "the profile absent",
        ),
        (&["token", "decode"], "ABSKsomething-secret", 1, "long-term"),
        (
            &["token", "decode"],
            "bedrock-api-key-secret",
            1,
            "copy all of it",
        ),
        (&["nothing"], "", 2, "nothing"),
    ] {
        let failed = alter(home.path(), args, &[], input);
        let said = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(
            !said.contains("secret") && failed.stdout.is_empty(),
            "{args:?}: {said}"
        );
    }
}
