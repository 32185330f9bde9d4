//! Whole looks, against a scripted API server and a scripted AWS.

use super::{
    super::world::{EVENTS, SECRET, SECRETS, STATUS, World, reasons, status_of},
    *,
};
use crate::scripted::patched;
use alter_crds::{AwsGrantStatus, grant::Store, identity::AllowedStore, names::secret};
use jiff::SignedDuration;
use serde_json::json;

#[tokio::test]
async fn a_new_grant_gets_a_session_a_status_and_one_event() {
    let seen = World::new().look().await;
    assert_eq!(seen.sessions, 1);
    let expected = [
        format!("POST {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines(), expected);
    let status = seen.log.at(1);
    assert_eq!(patched(&status, "/metadata/uid"), "g-1");
    assert_eq!(reasons(&status_of(&status))[0], ("Ready", "True", "Issued"));
    assert_eq!(patched(&status, "/status")["accessKeyId"], "ASIA1");
    let told = format!("{} {}", status.body, seen.log.at(2).body);
    assert!(
        !told.contains("s3cr3t") && !told.contains("tok3n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_restart_with_a_fresh_secret_asks_nobody_and_writes_nothing() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    let first = world.look().await;
    assert_eq!(
        (first.sessions, first.log.lines()[0].clone()),
        (0, format!("PATCH {STATUS}"))
    );
    world.grant.status = Some(status_of(&first.log.at(0)));
    let second = world.look().await;
    assert_eq!((second.sessions, second.log.lines()), (0, vec![]));
    assert!(second.wait.is_some());
}

#[tokio::test]
async fn a_due_session_is_renewed_by_a_patch_of_the_uid() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(40));
    world.grant.status = Some(AwsGrantStatus::default());
    let seen = world.look().await;
    assert_eq!(seen.sessions, 1);
    assert_eq!(
        seen.log.lines()[..2],
        [format!("GET {SECRETS}"), format!("PATCH {SECRET}")]
    );
    assert_eq!(patched(&seen.log.at(1), "/metadata/uid"), "s-1");
}

#[tokio::test]
async fn a_cache_that_is_behind_costs_a_look_and_no_session() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.cached = World::new()
        .with_secret("g-1", SignedDuration::from_mins(40))
        .cached;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    assert_eq!(
        seen.log.lines()[..2],
        [format!("GET {SECRETS}"), format!("PATCH {STATUS}")]
    );
}

#[tokio::test]
async fn a_foreign_secret_is_not_touched_and_costs_no_session() {
    let mut world = World::new();
    world.live = Some(json!({"name": "bedrock-aws", "namespace": "team-a", "uid": "x"}));
    let pending = json!({"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Pending",
        "message": "", "lastTransitionTime": "2026-11-22T04:00:00Z"}]});
    world.grant.status = Some(serde_json::from_value(pending).unwrap());
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines(), expected);
    assert_eq!(
        reasons(&status_of(&seen.log.at(1)))[0],
        ("Ready", "False", "SecretConflict")
    );
}

#[tokio::test]
async fn a_secret_of_another_type_is_foreign_whatever_its_marks_say() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.cached = None;
    world.grant.status = Some(status_of(&World::new().look().await.log.at(1)));
    world.other_type = true;
    let running = world.start();
    running.look(&world.grant).await;
    assert_eq!(running.sessions(), 0);
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "False", "SecretConflict"));
    let message = &status.conditions[0].message;
    assert!(message.contains("type"), "{message}");
    world.other_type = false;
    let own = world.look().await;
    assert_eq!(own.sessions, 0, "fresh, and the cache is behind");
}

#[tokio::test]
async fn the_secret_of_a_grant_that_is_gone_is_taken_over() {
    let mut world = World::new().with_secret("g-0", SignedDuration::from_mins(1));
    world.grant.status = None;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 1);
    let patch = seen.log.at(1);
    assert_eq!(patch.path, SECRET);
    assert_eq!(patched(&patch, "/metadata/uid"), "s-1");
    assert_eq!(
        patched(&patch, "/metadata/annotations")[secret::GRANT_UID],
        "g-1"
    );
}

#[tokio::test]
async fn suspending_leaves_grant_json_alone() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.grant.spec.suspend = true;
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    let patch = seen.log.at(1);
    let data = patched(&patch, "/data");
    let keys: Vec<_> = data.as_object().unwrap().keys().collect();
    assert_eq!(patch.path, SECRET);
    assert_eq!(keys, ["grant.json"]);
    let status = status_of(&seen.log.at(2));
    assert_eq!(reasons(&status)[0], ("Ready", "False", "Suspended"));
    assert_eq!((status.access_key_id, status.expiration), (None, None));
}

#[tokio::test]
async fn a_taking_away_that_fails_is_not_ready_and_is_tried_again_in_its_time() {
    for method in ["PATCH", "GET"] {
        let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
        world.grant.spec.suspend = true;
        world.broken = Some((method, 500));
        let running = world.start();
        let wait = running.look(&world.grant).await;
        let lines = running.log.lines();
        let told = lines.len() - 2;
        assert_eq!(
            lines[told..],
            [format!("PATCH {STATUS}"), format!("POST {EVENTS}")]
        );
        let status = status_of(&running.log.at(told));
        assert_eq!(
            reasons(&status)[..2],
            [
                ("Ready", "False", "SecretWriteFailed"),
                ("Refreshed", "False", "SecretWriteFailed")
            ]
        );
        let message = &status.conditions[0].message;
        assert!(
            message.starts_with("the session was not taken away: cannot "),
            "{message}"
        );
        assert!(status.expiration.is_some(), "it is still out");
        assert!(wait.unwrap() <= Duration::from_millis(1_250), "{wait:?}");

        world.grant.status = Some(status);
        running.look(&world.grant).await;
        assert_eq!(running.log.lines(), lines, "not before its time");
    }
}

#[tokio::test]
async fn what_aws_refuses_is_told_once_and_keeps_the_session() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(40));
    world.refuses = true;
    let seen = world.look().await;
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(seen.log.lines()[..3], expected);
    let status = status_of(&seen.log.at(1));
    assert_eq!(reasons(&status)[0], ("Ready", "True", "Issued"));
    assert_eq!(reasons(&status)[1], ("Refreshed", "False", "InvalidSpec"));
    assert!(status.expiration.is_some());
}

#[tokio::test]
async fn an_expired_session_that_is_not_renewed_loses_its_keys() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(61));
    world.identity = None;
    let seen = world.look().await;
    let patch = seen.log.at(1);
    assert_eq!(patched(&patch, "/data").as_object().unwrap().len(), 1);
    assert_eq!(
        patched(&patch, "/metadata/annotations")[secret::REVOKED_REASON],
        "Expired"
    );
    assert_eq!(
        reasons(&status_of(&seen.log.at(2)))[0],
        ("Ready", "False", "Expired")
    );
}

#[tokio::test]
async fn an_identity_that_was_just_edited_changes_no_status_for_a_moment() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    let first = world.look().await;
    world.grant.status = Some(status_of(&first.log.at(0)));
    world.identity.as_mut().unwrap().metadata.generation = Some(2);
    assert_eq!(world.look().await.log.lines(), [""; 0]);
}

/// The cache holds the status from before the last write, as it does until the watch has told of that.
#[tokio::test]
async fn a_status_that_is_to_be_as_it_was_before_the_last_write_is_written() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.grant.spec.suspend = true;
    let running = world.start();
    running.look(&world.grant).await;
    world.grant.status = Some(running.status());
    let writes = || {
        running
            .log
            .lines()
            .iter()
            .filter(|line| line.ends_with("/status"))
            .count()
    };
    running.look(&world.grant).await;
    assert_eq!(writes(), 1);

    let mut elsewhere = world.grant.clone();
    elsewhere.spec.identity = "missing".to_owned();
    running.look(&elsewhere).await;
    assert_eq!(writes(), 2);
    running.look(&world.grant).await;
    assert_eq!(writes(), 3, "what stands is what was written last");
    assert_eq!(
        reasons(&running.status())[2],
        ("IdentityReady", "True", "Allowed")
    );
}

#[tokio::test]
async fn one_that_does_not_lead_does_nothing() {
    let world = World {
        leads: false,
        ..World::new()
    };
    let seen = world.look().await;
    assert_eq!((seen.sessions, seen.log.lines()), (0, vec![]));
    assert_eq!(seen.wait, None);
    assert_eq!(seen.log.text(), "[]");
}

#[tokio::test]
async fn a_grant_that_goes_over_to_the_broker_leaves_no_session_behind() {
    let mut world = World::new().with_secret("g-1", SignedDuration::from_mins(1));
    world.grant.spec.store = Store::Broker;
    let identity = world.identity.as_mut().unwrap();
    identity.spec.allow[0].stores = vec![AllowedStore::Broker];
    let seen = world.look().await;
    assert_eq!(seen.sessions, 0);
    let lines = seen.log.lines();
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {SECRET}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(lines, expected);
    let data = patched(&seen.log.at(1), "/data");
    let keys: Vec<_> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["grant.json"]);
    let status = status_of(&seen.log.at(2));
    assert_eq!(
        reasons(&status),
        [
            ("Ready", "True", "Brokered"),
            ("Refreshed", "Unknown", "Brokered"),
            ("IdentityReady", "True", "Allowed"),
        ]
    );
    assert_eq!((status.secret_name, status.access_key_id), (None, None));
}

#[tokio::test]
async fn a_grant_of_the_broker_costs_a_status_and_no_secret() {
    let mut world = World::new();
    world.grant.spec.store = Store::Broker;
    let identity = world.identity.as_mut().unwrap();
    identity.spec.allow[0].stores = vec![AllowedStore::Broker];
    let expected = [format!("PATCH {STATUS}"), format!("POST {EVENTS}")];
    assert_eq!(world.look().await.log.lines(), expected);
    world.has_broker = false;
    let seen = world.look().await;
    let status = status_of(&seen.log.at(0));
    assert_eq!(reasons(&status)[0], ("Ready", "False", "BrokerDisabled"));
}
