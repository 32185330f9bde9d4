//! The helper against agents that are absent, wrong or slow: it never exits 0 without a whole session.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::Command;

use support::*;

/// The helper's output where the agent answers with `answer`.
fn run(answer: &[u8]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    let helper = lonely_helper(folder.path());
    let listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
    let answer = answer.to_vec();
    let agent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = [0; 16];
        stream.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"session bedrock\n");
        // The helper may have had enough before the end.
        let _ = stream.write_all(&answer);
    });
    let output = Command::new(helper).arg("bedrock").output().unwrap();
    agent.join().unwrap();
    output
}

fn whole() -> Vec<u8> {
    format!("ok\n{}\n", *session("ASIA1", LONG).to_process_json()).into_bytes()
}

#[test]
fn a_whole_answer_is_printed() {
    assert_session(&run(&whole()), "ASIA1");
}

#[test]
fn an_answer_that_was_cut_off_anywhere_is_none() {
    let answer = whole();
    for end in (0..answer.len())
        .step_by(7)
        .chain(answer.len() - 4..answer.len())
    {
        let line = assert_refused(&run(&answer[..end]));
        assert!(line.contains("is not whole"), "{end}: {line}");
    }
}

#[test]
fn garbage_is_no_answer() {
    let endless = [b"ok\n{".to_vec(), vec![b'x'; 100_000], b"}\n".to_vec()].concat();
    for answer in [
        &b"\n"[..],
        b"ok\n\n",
        b"ok\n[]\n",
        b"OK\n{}\n",
        b"error\n{}\n{}\n",
        b"ok\n{}\n{}\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &endless,
    ] {
        let line = assert_refused(&run(answer));
        assert!(line.contains("is not whole"), "{line}");
    }
}

#[test]
fn the_agents_word_is_passed_on() {
    let line = assert_refused(&run(b"error\ngrant bedrock: gone\n"));
    assert_eq!(line, "alter-credential-process: grant bedrock: gone\n");
}

#[test]
fn an_agent_that_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let helper = lonely_helper(folder.path());
    let _listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
    let line = assert_refused(&Command::new(helper).arg("bedrock").output().unwrap());
    assert!(line.contains("does not answer within 5 seconds"), "{line}");
}

#[test]
fn without_an_agent_it_says_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let helper = lonely_helper(folder.path());
    let line = assert_refused(&Command::new(helper).arg("bedrock").output().unwrap());
    assert!(line.contains("kubectl describe pod"), "{line}");
}

#[test]
fn without_the_one_argument_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let helper = lonely_helper(folder.path());
    for args in [&[][..], &["bedrock", "s3"]] {
        let line = assert_refused(&Command::new(&helper).args(args).output().unwrap());
        assert!(line.contains("call it with one argument"), "{line}");
    }
}

#[test]
fn an_output_that_nobody_reads_is_a_failure() {
    let pod = Pod::new();
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    let _agent = pod.agent("bedrock", &[]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Command::new(pod.shared().join("bin/credential-process"))
        .arg("bedrock")
        .stdout(full)
        .output()
        .unwrap();
    assert_refused(&output);
}
