//! The agent's unix socket and the helper, as an SDK and the kubelet use them.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use jiff::SignedDuration;
use support::*;

#[test]
fn a_session_is_served_to_any_user_and_follows_the_secret() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let agent = pod.agent("bedrock", &[]);
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    assert_session(&pod.helper_as_another_user("bedrock"), "ASIA1");

    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA2", LONG)),
    );
    agent.saw("ASIA2");
    assert_session(&pod.helper(&["bedrock"]), "ASIA2");
}

#[test]
fn the_helper_prints_what_the_secret_holds_to_the_byte() {
    let pod = Pod::new();
    let session = session("ASIA1", LONG);
    pod.write("bedrock", &document("bedrock"), Some(&session));
    let _agent = pod.agent("bedrock", &[]);
    let expected = format!("{}\n", *session.to_process_json());
    assert_eq!(text(&pod.helper(&["bedrock"]).stdout), expected);
}

#[test]
fn a_revoked_session_is_gone_and_can_come_back() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let agent = pod.agent("bedrock", &[]);
    let config = || fs::read_to_string(pod.shared().join("aws/config")).unwrap();
    let before = config();
    pod.write("bedrock", &revoked("bedrock"), None);
    agent.saw("\"refused\"");
    assert_eq!(config(), before);
    assert_eq!(
        assert_refused(&pod.helper(&["bedrock"])),
        "alter-credential-process: grant bedrock: taken away (Suspended): spec.suspend is true; set it to false\n"
    );
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA2", LONG)),
    );
    agent.saw("ASIA2");
    assert_session(&pod.helper(&["bedrock"]), "ASIA2");
}

#[test]
fn an_expired_session_is_not_served() {
    let pod = Pod::new();
    let past = session("ASIA1", SignedDuration::from_secs(-1));
    pod.write("bedrock", &document("bedrock"), Some(&past));
    let _agent = pod.agent("bedrock", &[]);
    let line = assert_refused(&pod.helper(&["bedrock"]));
    assert!(
        line.contains("grant bedrock: its session expired at 20"),
        "{line}"
    );
}

#[test]
fn a_garbled_secret_leaves_the_last_good_session() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let agent = pod.agent("bedrock", &[]);
    pod.write_files("bedrock", "{\"version\":1,", Some("half"));
    agent.saw("last good session");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
}

#[test]
fn each_grant_has_its_session_and_its_profile() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    pod.write("s3", &document("s3"), Some(&session("ASIA2", LONG)));
    let _agent = pod.agent("s3,bedrock", &[]);
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    assert_session(&pod.helper(&["s3"]), "ASIA2");
    let line = assert_refused(&pod.helper(&["other"]));
    assert!(
        line.contains("no grant \"other\", only s3, bedrock"),
        "{line}"
    );

    let helper = pod.shared().join("bin/credential-process");
    let section = |name: &str, grant: &str| {
        format!(
            "[{name}]\nregion = us-east-1\ncredential_process = {} {grant}\n",
            helper.display()
        )
    };
    assert_eq!(
        fs::read_to_string(pod.shared().join("aws/config")).unwrap(),
        section("default", "s3")
            + &section("profile s3", "s3")
            + &section("profile bedrock", "bedrock")
    );
}

#[test]
fn grants_that_are_not_for_this_pod_are_refused() {
    let pod = Pod::new();
    let mut others = document("accounts");
    others.service_accounts = vec!["job".to_owned()];
    pod.write("accounts", &others, Some(&session("ASIA1", LONG)));
    let mut endpoint = document("deliveries");
    endpoint.deliveries = vec!["endpoint".to_owned()];
    pod.write("deliveries", &endpoint, Some(&session("ASIA2", LONG)));
    pod.write(
        "swapped",
        &document("bedrock"),
        Some(&session("ASIA3", LONG)),
    );
    let _agent = pod.agent("accounts,deliveries,swapped", &[]);
    for (grant, why) in [
        ("accounts", "runs as app"),
        ("deliveries", "asks for process"),
        ("swapped", "that of grant bedrock"),
    ] {
        let line = assert_refused(&pod.helper(&[grant]));
        assert!(line.contains(why), "{line}");
    }
}

#[test]
fn the_start_waits_for_every_grant_once() {
    let pod = Pod::new();
    let ready = |pod: &Pod| {
        let output = pod.ready();
        (output.status.code(), text(&output.stderr))
    };
    let (code, line) = ready(&pod);
    assert_eq!(code, Some(1));
    assert!(line.contains("does not answer yet"), "{line}");

    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    pod.write("s3", &document("s3"), None);
    let mut agent = pod.agent("bedrock,s3", &[]);
    let (code, line) = ready(&pod);
    assert_eq!(code, Some(1));
    assert_eq!(
        line,
        "grant s3: its Secret has no credentials.json yet; `kubectl describe awsgrant s3` says why\n"
    );

    pod.write("s3", &document("s3"), Some(&session("ASIA2", LONG)));
    agent.saw("the app may start");
    assert_eq!(ready(&pod).0, Some(0));

    // Neither a revoked grant nor a new agent takes that back.
    pod.write("s3", &revoked("s3"), None);
    agent.saw("\"refused\"");
    assert_eq!(ready(&pod).0, Some(0));
    agent.signal("-KILL");
    agent.ended();
    let _agent = pod.agent("bedrock,s3", &[]);
    assert_eq!(ready(&pod).0, Some(0));
}

#[test]
fn an_agent_that_was_killed_is_replaced_on_its_stale_socket() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let mut agent = pod.agent("bedrock", &[]);
    agent.signal("-KILL");
    agent.ended();
    assert!(pod.shared().join("agent.sock").exists());
    let line = assert_refused(&pod.helper(&["bedrock"]));
    assert!(
        line.contains("the agent of this pod does not run"),
        "{line}"
    );
    let _agent = pod.agent("bedrock", &[]);
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
}

#[test]
fn sigterm_ends_it_well_while_clients_idle() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    for signal in ["-TERM", "-INT"] {
        let mut agent = pod.agent("bedrock", &[]);
        let _idle = UnixStream::connect(pod.shared().join("agent.sock")).unwrap();
        agent.signal(signal);
        assert_eq!(agent.ended(), Some(0));
    }
}

#[test]
fn everyone_may_read_what_the_umask_would_hide() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let _agent = pod.agent("bedrock", &["--delivery", "endpoint"]);
    for (path, mode) in [
        ("bin", 0o755),
        ("bin/credential-process", 0o755),
        ("aws", 0o755),
        ("aws/config", 0o644),
        ("token", 0o644),
        ("agent.sock", 0o666),
    ] {
        assert_eq!(pod.mode(path), mode, "{path}");
    }
}

#[test]
fn clients_that_misbehave_hold_nobody_up() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let _agent = pod.agent("bedrock", &[]);
    let connect = || UnixStream::connect(pod.shared().join("agent.sock")).unwrap();

    let idle: Vec<_> = (0..200).map(|_| connect()).collect();
    for _ in 0..50 {
        // Gone before its answer.
        let mut stream = connect();
        stream.write_all(b"session bedrock\n").unwrap();
    }
    // Half-closed after its question, as `nc` does.
    let mut stream = connect();
    stream.write_all(b"session bedrock\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("ok\n{") && answer.ends_with("}\n"),
        "{answer}"
    );
    // Half a question.
    let half = connect();
    (&half).write_all(b"session bedr").unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(converse(half, b"").starts_with("error\n"));
    // No question at all, and without an end.
    assert!(converse(connect(), &[b'x'; 128]).starts_with("error\n"));
    assert!(converse(connect(), b"GET / HTTP/1.1\r\n\r\n").starts_with("error\n"));
    // In pieces.
    let mut stream = connect();
    stream.write_all(b"session ").unwrap();
    assert!(converse(stream, b"bedrock\n").starts_with("ok\n"));

    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    drop(idle);
}

#[test]
fn it_says_what_is_wrong_when_it_cannot_start() {
    let pod = Pod::new();
    let log = |args: &[&str]| {
        let output = pod.command("bedrock", args).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    for (args, why) in [
        (
            ["--metrics-address", "192.0.2.1:1"],
            "cannot listen on 192.0.2.1:1",
        ),
        (["--delivery", "pigeon"], "write one of process, endpoint"),
    ] {
        let log = log(&args);
        assert!(log.contains(why), "{log}");
    }
    fs::remove_dir_all(pod.shared()).unwrap();
    fs::write(pod.shared(), "no folder").unwrap();
    let log = log(&[]);
    assert!(
        log.contains("the shared volume mounted read-write"),
        "{log}"
    );
}
