//! Revocations at AWS, whole looks.

use crate::grant::world::{EVENTS, Running, SECRET, STATUS, World, reasons};
use alter_crds::{
    AwsGrant, AwsGrantStatus,
    condition::{self, REVOKED_AT_AWS},
    grant::Store,
    identity::AllowedStore,
    names::grant::REVOKE_BEFORE,
};
use alter_protocol::session::rfc3339;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;

/// A grant whose sessions are to go, and an identity that may have AWS deny them.
fn revoking(cut: Timestamp) -> World {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    annotate(&mut world.grant, cut);
    let identity = world.identity.as_mut().unwrap();
    let spec = json!({
        "region": "us-east-1",
        "credentials": identity.spec.credentials,
        "allow": identity.spec.allow,
        "session": {"tags": {"enabled": true}},
        "revocation": {"roleArn": "arn:aws:iam::111122223333:role/alter-revocation"},
    });
    identity.spec = serde_json::from_value(spec).unwrap();
    world
}

fn annotate(grant: &mut AwsGrant, cut: Timestamp) {
    let annotation = (REVOKE_BEFORE.to_owned(), rfc3339(cut));
    grant.metadata.annotations = Some([annotation].into());
}

fn ago(seconds: i64) -> Timestamp {
    let at = crate::clock::now() - SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap()
}

fn said(status: &AwsGrantStatus) -> Option<(&str, &str)> {
    let own = condition::find(&status.conditions, REVOKED_AT_AWS)?;
    Some((&own.status, &own.reason))
}

async fn looked(running: &Running, grant: &mut AwsGrant) -> Option<Duration> {
    let wait = running.look(grant).await;
    grant.status = Some(running.status());
    wait
}

#[tokio::test]
async fn the_sessions_are_dropped_then_aws_is_told_and_never_again() {
    let cut = ago(10);
    let world = revoking(cut);
    let (running, mut grant) = (world.start(), world.grant.clone());
    // The new session waits for nothing of AWS's part.
    let wait = looked(&running, &mut grant).await;
    assert!(wait.unwrap() < Duration::from_secs(1), "{wait:?}");
    let lines = running.log.lines();
    let dropped = lines
        .iter()
        .position(|line| *line == format!("PATCH {SECRET}"));
    assert_eq!(dropped, Some(1), "{lines:?}");
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "False", "Revoked"));
    assert_eq!(said(&status), Some(("Unknown", "Pending")));

    let told = running.tell_aws().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].denial.before, cut);
    assert_eq!(told[0].denial.tags["alter-grant"], "bedrock");
    looked(&running, &mut grant).await;
    let status = running.status();
    assert_eq!(said(&status), Some(("True", "DeniedByPolicy")));
    assert_eq!(status.denied_before.as_ref().map(|own| own.0), Some(cut));
    let own = condition::find(&status.conditions, REVOKED_AT_AWS).unwrap();
    for part in ["alter-revocations", "role/team-a-bedrock", &rfc3339(cut)] {
        assert!(own.message.contains(part), "{}", own.message);
    }
    let last = running.log.lines().len();
    assert_eq!(running.log.lines()[last - 1], format!("POST {EVENTS}"));

    // Neither by this process nor by the next.
    looked(&running, &mut grant).await;
    assert_eq!(running.tell_aws().await.len(), 1);
    let mut next = revoking(cut);
    next.grant = grant.clone();
    let next = next.start();
    next.look(&grant).await;
    assert!(next.tell_aws().await.is_empty());
    if next.log.lines().contains(&format!("PATCH {STATUS}")) {
        let status = next.status();
        assert_eq!(said(&status), Some(("True", "DeniedByPolicy")));
        assert_eq!(status.denied_before.as_ref().map(|own| own.0), Some(cut));
    }

    // A later time is another revocation.
    annotate(&mut grant, ago(5));
    running.look(&grant).await;
    assert_eq!(running.tell_aws().await.len(), 2);
}

#[tokio::test]
async fn a_failure_is_told_and_tried_again_and_holds_no_session_up() {
    let mut world = revoking(ago(10));
    world.refuses = true;
    let (running, mut grant) = (world.start(), world.grant.clone());
    looked(&running, &mut grant).await;
    assert_eq!(running.tell_aws().await.len(), 1);
    let wait = looked(&running, &mut grant).await;
    let status = running.status();
    assert_eq!(said(&status), Some(("False", "InvalidSpec")));
    assert_eq!(status.denied_before, None);
    assert!(wait.is_some());
    looked(&running, &mut grant).await;
    assert_eq!(running.tell_aws().await.len(), 1, "not before its time");
    // What was edited is tried at once.
    grant.metadata.generation = Some(2);
    looked(&running, &mut grant).await;
    assert_eq!(running.tell_aws().await.len(), 2);
    assert_eq!(said(&running.status()), Some(("False", "InvalidSpec")));
}

#[tokio::test]
async fn a_grant_of_the_broker_and_a_suspended_one_are_told_of_too() {
    for store in [Store::Broker, Store::Secret] {
        let mut world = revoking(ago(10));
        world.cached = None;
        world.live = None;
        world.grant.spec.store = store;
        world.grant.spec.suspend = store == Store::Secret;
        let identity = world.identity.as_mut().unwrap();
        identity.spec.allow[0].stores = vec![AllowedStore::Broker];
        let running = world.start();
        running.look(&world.grant).await;
        assert_eq!(running.tell_aws().await.len(), 1, "{store:?}");
    }
}

#[tokio::test]
async fn a_time_ahead_is_waited_for() {
    let mut world = revoking(crate::clock::now() + SignedDuration::from_secs(20));
    world.cached = None;
    world.live = None;
    world.grant.spec.store = Store::Broker;
    let identity = world.identity.as_mut().unwrap();
    identity.spec.allow[0].stores = vec![AllowedStore::Broker];
    let running = world.start();
    let wait = running.look(&world.grant).await.unwrap();
    assert!(wait <= Duration::from_secs(20), "{wait:?}");
    assert_eq!(said(&running.status()), None);
    assert!(running.tell_aws().await.is_empty());
}

#[tokio::test]
async fn without_the_role_the_status_says_what_to_write_and_without_the_annotation_nothing() {
    let mut world = revoking(ago(10));
    world.identity.as_mut().unwrap().spec.revocation = None;
    let (running, mut grant) = (world.start(), world.grant.clone());
    looked(&running, &mut grant).await;
    assert!(running.tell_aws().await.is_empty());
    let status = running.status();
    assert_eq!(said(&status), Some(("False", "NoRevocationRole")));
    grant.metadata.annotations = None;
    looked(&running, &mut grant).await;
    assert_eq!(said(&running.status()), None);
}

#[tokio::test]
async fn one_that_stopped_leading_tells_nobody_and_another_look_does() {
    let world = revoking(ago(10));
    let running = world.start();
    running.look(&world.grant).await;
    running.context.fence.close();
    assert!(running.tell_aws().await.is_empty());
    let (now, wall) = (tokio::time::Instant::now(), crate::clock::now());
    running.context.fence.open(now, wall);
    running.look(&world.grant).await;
    assert_eq!(running.tell_aws().await.len(), 1);
}
