//! What one tenant or one identity can cost the others.

use super::world::{HANGING, LOST, SECRETS, SLOTS, World, reasons};
use alter_crds::AwsGrant;
use futures::poll;
use jiff::SignedDuration;

/// Another grant of the same name space.
fn named(name: &str, identity: &str) -> AwsGrant {
    let mut grant = World::new().grant;
    grant.metadata.name = Some(name.to_owned());
    grant.metadata.uid = Some(format!("uid-of-{name}"));
    grant.spec.identity = identity.to_owned();
    grant
}

#[tokio::test]
async fn a_secret_that_is_removed_again_and_again_costs_a_bounded_number_of_sessions() {
    let world = World::new();
    let running = world.start();
    for _ in 0..30 {
        running.look(&world.grant).await;
        running.secret_goes();
    }
    assert_eq!(running.sessions(), 10);
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "False", "TooManyIssues"));
    let message = &status.conditions[0].message;
    assert!(
        message.contains("its Secret keeps being removed"),
        "{message}"
    );
    running.look(&named("other", "default")).await;
    assert_eq!(running.sessions(), 11, "another grant has its own");
}

#[tokio::test]
async fn a_grant_that_is_edited_back_and_forth_is_bounded_and_goes_on_being_served() {
    let mut world = World::new();
    let running = world.start();
    for generation in 0..31 {
        world.grant.metadata.generation = Some(generation);
        world.grant.spec.duration_seconds = if generation % 2 == 0 { 900 } else { 3_600 };
        running.look(&world.grant).await;
    }
    assert_eq!(running.sessions(), 10);
    let status = running.status();
    assert_eq!(
        reasons(&status)[..2],
        [
            ("Ready", "True", "Issued"),
            ("Refreshed", "False", "TooManyIssues")
        ]
    );
    assert!(status.expiration.is_some());
}

#[tokio::test]
async fn edits_whose_sessions_aws_refuses_are_bounded_too() {
    let mut world = World::new();
    world.refuses = true;
    let running = world.start();
    for generation in 0..30 {
        world.grant.metadata.generation = Some(generation);
        running.look(&world.grant).await;
    }
    assert_eq!(running.sessions(), 10);
}

#[tokio::test]
async fn an_identity_that_hangs_leaves_slots_to_another() {
    let world = World::new().with_secret("g-1", SignedDuration::from_mins(40));
    let running = world.start();
    let grants: Vec<_> = (0..SLOTS)
        .map(|n| named(&format!("slow-{n}"), HANGING))
        .collect();
    let looks = grants.iter().map(|own| Box::pin(running.look(own)));
    let mut looks: Vec<_> = looks.collect();
    for (asked, look) in (1..u32::from(SLOTS)).zip(&mut looks) {
        while running.sessions() < asked {
            assert!(poll!(&mut *look).is_pending());
            tokio::task::yield_now().await;
        }
    }
    let last = looks.pop().unwrap();
    last.await;
    assert_eq!(running.sessions(), u32::from(SLOTS) - 1);
    let told = running.log.lines();
    assert!(told.last().unwrap().ends_with("/slow-3/status"), "{told:?}");
    running.look(&world.grant).await;
    assert_eq!(running.sessions(), u32::from(SLOTS));
    let lines = running.log.lines();
    assert!(
        lines.contains(&format!("PATCH {SECRETS}/bedrock-aws")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn an_identity_that_lost_its_source_is_asked_about_and_another_goes_on() {
    let world = World::new();
    let running = world.start();
    running.look(&named("one", LOST)).await;
    let status = running.status();
    assert_eq!(reasons(&status)[0], ("Ready", "False", "SourceNotFound"));
    assert!(running.context.rechecks.is_asked(LOST));
    running.look(&world.grant).await;
    assert_eq!(reasons(&running.status())[0].1, "True");
    assert!(!running.context.rechecks.is_asked("default"));
}
