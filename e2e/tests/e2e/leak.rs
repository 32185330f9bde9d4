//! The look for secrets that every test ends with finds what it looks for.

use alter_e2e::{
    Failure, TestNamespace,
    app::with_served_app,
    brokered::with_brokered_app,
    kubectl,
    leak::{Text, look},
    witness::Witness,
};
use std::collections::BTreeSet;

/// Writes the session's keys into the container's own log, as a careless program does.
const TELL: &str = r"
import boto3
key = boto3.Session().get_credentials().get_frozen_credentials()
open('/proc/1/fd/1', 'w').write(f'debug: {key}\n')
";

#[test]
fn a_secret_is_found_however_it_is_written() {
    let secrets = BTreeSet::from(["ab/c+d=".to_owned()]);
    for text in [
        "key: ab/c+d= end",
        "?token=ab%2Fc%2Bd%3D",
        "data: {x: YWIvYytkPQ==}",
    ] {
        let found = look(&[Text::new("a log", text)], &secrets).unwrap_err();
        assert!(
            found.to_string().starts_with("a secret stands in a log"),
            "{found}"
        );
    }
    let two = BTreeSet::from(["x1y2".to_owned(), "z3".to_owned()]);
    let found = look(&[Text::new("a log", "key z3, token x1y2")], &two).unwrap_err();
    assert!(found.to_string().ends_with("after: key "), "{found}");
    assert!(look(&[Text::new("a log", "ab/c d")], &secrets).is_ok());
}

/// Has the pod `app` tell its session's keys, which the look must find.
async fn what_is_told_is_found(here: &TestNamespace) -> Result<(), Failure> {
    let witness = Witness::start(&here.client, &here.name);
    here.python("app", TELL).await?;
    let found = witness.finish(&here.name, Vec::new()).await;
    // The log goes with its pod, so that the look at this test's own end finds nothing.
    kubectl::run(&["delete", "pod", "app", "-n", &here.name]).await?;
    let found = found.expect_err("the log holds a secret key").to_string();
    let place = format!("log of {}/app", here.name);
    assert!(
        found.contains(&place) && found.contains("debug: "),
        "{found}"
    );
    Ok(())
}

#[tokio::test]
async fn a_secret_in_a_log_is_found() -> Result<(), Failure> {
    with_served_app("leak", "process", what_is_told_is_found).await
}

/// No Secret holds it: the pod alone can say what is to be looked for.
#[tokio::test]
async fn a_secret_of_the_brokers_in_a_log_is_found() -> Result<(), Failure> {
    with_brokered_app("broker-leak", what_is_told_is_found).await
}
