//! `alter token`.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod program;

use program::{alter, text};

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
