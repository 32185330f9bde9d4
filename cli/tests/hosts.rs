//! `alter hosts`.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod program;

use program::{alter, text};

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
