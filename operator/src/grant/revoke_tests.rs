//! Sessions from before a time that a grant's annotation names, whole looks.

use crate::grant::world::{SECRET, SLOW, World, reasons, status_of};
use alter_crds::names::{
    grant::REVOKE_BEFORE,
    secret::{EXPIRATION, ISSUED_AT, REVOKED_AT, REVOKED_REASON},
};
use alter_protocol::session::rfc3339;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;

fn revoking(age: SignedDuration, cut: Timestamp) -> World {
    let mut world = World::new().with_secret("g-1", age);
    let annotation = (REVOKE_BEFORE.to_owned(), rfc3339(cut));
    world.grant.metadata.annotations = Some([annotation].into());
    world
}

#[tokio::test]
async fn a_session_from_before_is_dropped_then_a_new_one_comes() {
    let now = crate::clock::now();
    let cut = now - SignedDuration::from_secs(10);
    let mut world = revoking(SignedDuration::from_mins(1), cut);
    let running = world.start();
    let wait = running.look(&world.grant).await;
    let lines = running.log.lines();
    assert_eq!(lines[1], format!("PATCH {SECRET}"), "{lines:?}");
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "False", "Revoked"));
    assert_eq!(
        status.revoked_before.as_ref().map(|own| rfc3339(own.0)),
        Some(rfc3339(cut))
    );
    assert!(wait.unwrap() < Duration::from_secs(1), "{wait:?}");
    assert_eq!(running.sessions(), 0);

    world.grant.status = Some(status);
    for metadata in [&mut world.live, &mut world.cached] {
        let annotations = &mut metadata.as_mut().unwrap()["annotations"];
        annotations[REVOKED_AT] = json!(rfc3339(now));
        annotations[REVOKED_REASON] = json!("Revoked");
    }
    let seen = world.look().await;
    assert_eq!(seen.sessions, 1);
    let lines = seen.log.lines();
    let told = lines.iter().position(|line| line.ends_with("/status"));
    let status = status_of(&seen.log.at(told.unwrap()));
    assert_eq!(reasons(&status)[0], ("Ready", "True", "Issued"));
    assert!(status.revoked_before.is_some());
}

#[tokio::test]
async fn a_session_from_after_stays_and_what_is_no_time_keeps_it() {
    let now = crate::clock::now();
    let world = revoking(
        SignedDuration::from_mins(1),
        now - SignedDuration::from_mins(2),
    );
    let seen = world.look().await;
    assert_eq!(
        (seen.sessions, seen.log.lines().len()),
        (0, 3),
        "its status, and that AWS was not told"
    );

    let mut world = revoking(SignedDuration::from_mins(1), now);
    let annotation = (REVOKE_BEFORE.to_owned(), "yesterday".to_owned());
    world.grant.metadata.annotations = Some([annotation].into());
    let running = world.start();
    running.look(&world.grant).await;
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "True", "Issued"));
    assert_eq!(reasons(&status)[1], ("Refreshed", "False", "InvalidSpec"));
    let message = &status.conditions[1].message;
    assert!(
        message.contains("\"yesterday\" is no RFC 3339 time"),
        "{message}"
    );
}

#[tokio::test]
async fn where_no_new_session_is_to_be_had_the_old_one_still_goes() {
    let cut = crate::clock::now() - SignedDuration::from_secs(10);
    let mut world = revoking(SignedDuration::from_mins(1), cut);
    world.refuses = true;
    let running = world.start();
    running.look(&world.grant).await;
    world.grant.status = Some(running.status());
    running.look(&world.grant).await;
    let status = running.status();
    assert_eq!(reasons(&status)[0].1, "False");
    assert_eq!(status.expiration, None);
}

#[tokio::test]
async fn a_session_counts_as_issued_when_it_was_asked_for() {
    let mut world = World::new();
    world.grant.spec.identity = SLOW.to_owned();
    let seen = world.look().await;
    let lines = seen.log.lines();
    let written = lines
        .iter()
        .position(|line| line.starts_with("POST") && line.contains("/secrets"));
    let asked = seen.log.at(written.unwrap());
    let time = |key: &str| -> Timestamp {
        let text = asked.body["metadata"]["annotations"][key].as_str().unwrap();
        text.parse().unwrap()
    };
    // STS gave it an hour from when it answered.
    let life = time(EXPIRATION).duration_since(time(ISSUED_AT));
    assert!(life > SignedDuration::from_hours(1), "{life}");
}

#[tokio::test]
async fn a_session_that_comes_after_the_grant_was_suspended_is_not_written() {
    let mut world = World::new();
    let asked = world.grant.clone();
    // The cache knows more than the look began with.
    world.grant.spec.suspend = true;
    let running = world.start();
    running.look(&asked).await;
    assert_eq!(running.sessions(), 1);
    assert_eq!(running.log.lines(), [] as [&str; 0]);
    world.grant.spec.suspend = false;
    world.grant.spec.region = "eu-west-1".to_owned();
    let running = world.start();
    running.look(&asked).await;
    assert_eq!(running.log.lines(), [] as [&str; 0]);
}
