//! Grants that no pod uses, whole looks.

use crate::grant::world::{EVENTS, SECRET, SECRETS, STATUS, World, reasons, status_of};
use crate::scripted::patched;
use alter_crds::names::secret::REVOKED_REASON;
use alter_protocol::session::rfc3339;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use serde_json::json;

const PAUSED: (&str, &str, &str) = ("Refreshed", "Unknown", "Paused");

/// Whose last pod went so long ago; its session was issued `age` ago and lives an hour.
fn unused(since: SignedDuration, age: SignedDuration, was_paused: bool) -> World {
    let mut world = World::new().with_secret("g-1", age);
    world.grant.spec.pause_after = Some("1h".to_owned());
    let refreshed = if was_paused { "Paused" } else { "Issued" };
    let since = rfc3339(crate::clock::now() - since);
    let status = json!({
        "unusedSince": since,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Issued", "message": "",
             "lastTransitionTime": since},
            {"type": "Refreshed", "status": "Unknown", "reason": refreshed, "message": "",
             "lastTransitionTime": since},
        ],
    });
    world.grant.status = Some(serde_json::from_value(status).unwrap());
    world
}

const fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn the_keys_of_a_paused_grant_go_when_they_expire_and_its_secret_says_who_wakes_it() {
    let world = unused(minutes(120), minutes(70), false);
    let running = world.start();
    running.pods_are(None);
    running.look(&world.grant).await;
    assert_eq!(running.sessions(), 0);
    let expected = [
        format!("GET {SECRETS}"),
        format!("PATCH {SECRET}"),
        format!("PATCH {STATUS}"),
        format!("POST {EVENTS}"),
    ];
    assert_eq!(running.log.lines(), expected);
    let written = running.log.at(1);
    assert_eq!(
        patched(&written, "/metadata/annotations")[REVOKED_REASON],
        "Paused"
    );
    let document = patched(&written, "/data")["grant.json"].clone();
    let document = STANDARD.decode(document.as_str().unwrap()).unwrap();
    let document = String::from_utf8(document).unwrap();
    assert!(document.contains("a pod wakes it"), "{document}");
    let status = running.status();
    assert_eq!(
        reasons(&status)[..2],
        [("Ready", "False", "Paused"), PAUSED]
    );
    let before = world.grant.status.unwrap().unused_since;
    assert_eq!(status.unused_since, before, "it goes on counting");
    assert_eq!(running.log.at(3).body["type"], "Normal");
}

#[tokio::test]
async fn the_first_pod_brings_a_session() {
    let world = unused(minutes(120), minutes(70), true);
    let running = world.start();
    running.pods_are(Some("bedrock"));
    running.look(&world.grant).await;
    assert_eq!(running.sessions(), 1);
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "True", "Issued"));
    assert_eq!(status.unused_since, None);
}

#[tokio::test]
async fn an_unused_grant_is_renewed_until_it_is_time_and_then_looked_at() {
    let world = unused(minutes(59), minutes(40), false);
    let running = world.start();
    running.pods_are(None);
    let wait = running.look(&world.grant).await.unwrap();
    assert_eq!(running.sessions(), 1);
    assert!(running.status().unused_since.is_some());
    assert!(
        wait.as_secs() <= 60,
        "it pauses within the minute: {wait:?}"
    );
}

#[tokio::test]
async fn before_pods_are_listed_nothing_pauses_and_nothing_wakes() {
    for (was_paused, sessions) in [(true, 0), (false, 1)] {
        let world = unused(minutes(120), minutes(40), was_paused);
        let running = world.start();
        running.look(&world.grant).await;
        assert_eq!(running.sessions(), sessions, "paused before: {was_paused}");
        let status = running.status();
        assert_eq!(reasons(&status)[1] == PAUSED, was_paused);
        assert!(status.unused_since.is_some());
    }
}

#[tokio::test]
async fn without_the_field_nobody_counts() {
    let mut world = unused(minutes(120), minutes(40), false);
    world.grant.spec.pause_after = None;
    let running = world.start();
    running.pods_are(None);
    running.look(&world.grant).await;
    assert_eq!(
        (running.sessions(), running.status().unused_since),
        (1, None)
    );
}

#[tokio::test]
async fn pods_without_their_agent_are_counted_in_the_status() {
    let world = World::new().with_secret("g-1", minutes(1));
    let running = world.start();
    let orphans = |count| Some([("team-a/bedrock".into(), count)].into());
    running.context.orphans.set(orphans(2));
    running.look(&world.grant).await;
    assert_eq!(running.status().orphaned_pods, Some(2));
    // Another leader has not looked yet: what was told stays.
    let mut told = world.grant.clone();
    told.status = Some(running.status());
    running.context.orphans.set(None);
    let lines = running.log.lines().len();
    running.look(&told).await;
    assert_eq!(running.log.lines().len(), lines, "nothing changed");
    running.context.orphans.set(Some([].into()));
    running.look(&told).await;
    let last = running.log.at(lines);
    assert_eq!(status_of(&last).orphaned_pods, None);
    assert!(
        !last.body.to_string().contains("orphanedPods"),
        "absent, not 0"
    );
}
