//! Questions of pods, and what they are told. The clock stands still but for waits.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in what the tests share"
)]

mod world;

use alter_protocol::broker::{Answer, News, Told};
use axum::http::StatusCode;
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use world::{World, grant, identity, now, pod, session_name, token, token_of};

const OWN: &str = "{namespace}.{serviceAccount}.{pod}";

fn first() -> String {
    token("team-a", "app", "app-1", "u-1")
}

#[tokio::test(start_paused = true)]
async fn a_pod_gets_a_session_with_what_its_agent_must_know() {
    let world = World::new(&json!({}));
    let told = world.agent(&first()).ask(None).await.unwrap();
    assert_eq!(session_name(&told), "alter.team-a.bedrock");
    let News::Session(issued) = &told.news else {
        panic!("{told:?}");
    };
    assert_eq!(*issued.session.secret_access_key, "s3cr3t");
    let document = &issued.document;
    assert_eq!(
        (document.region.as_str(), document.grant.as_str()),
        ("us-east-1", "bedrock")
    );
    assert!(!told.tag.contains("s3cr3t") && !world.metrics().contains("s3cr3t"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pods_share_one_call_where_none_is_named() {
    let mut world = World::new(&json!({}));
    let agents: Vec<_> = (0..1_000)
        .map(|n| {
            let (name, uid) = (format!("app-{n}"), format!("u-{n}"));
            world.pod_comes(pod("team-a", &name, &uid));
            world.agent(&token("team-a", "app", &name, &uid))
        })
        .collect();
    let answers = join_all(agents.iter().map(|agent| agent.ask(None))).await;
    assert!(
        answers
            .iter()
            .flatten()
            .all(|told| session_name(told) == "alter.team-a.bedrock")
    );
    assert_eq!(answers.iter().flatten().count(), 1_000);
    assert_eq!(world.aws.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_gets_the_session_of_its_own_pod_and_no_others() {
    let mut world = World::new(&json!({"name": OWN}));
    world.pod_comes(pod("team-a", "app-2", "u-2"));
    let other = world.agent(&token("team-a", "app", "app-2", "u-2"));
    let first = world.agent(&first());
    let told = first.ask(None).await.unwrap();
    assert_eq!(session_name(&told), "team-a.app.app-1");
    // Also where it says that it knows the other's.
    let theirs = other.ask(Some(&told)).await.unwrap();
    assert_eq!(session_name(&theirs), "team-a.app.app-2");
    // And a question cannot name a pod.
    let question = r#"{"grants":[{"grant":"bedrock","pod":"app-2"}],"pod":"app-2","uid":"u-2"}"#;
    let (status, body) = first.send(question.to_owned()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("team-a.app.app-1") && !body.contains("app-2"),
        "{body}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_is_refused_though_its_token_still_holds() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let told = agent.ask(None).await.unwrap();
    world.pod_goes(pod("team-a", "app-1", "u-1"));
    assert_eq!(agent.refused(Some(&told)).await, "PodGone");
    // Another pod of its name is another one: a StatefulSet makes it at once.
    world.pod_comes(pod("team-a", "app-1", "u-9"));
    assert_eq!(agent.refused(None).await, "PodGone");
    assert_eq!(
        world.reviews.load(Ordering::SeqCst),
        1,
        "by the watch, not by the token"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_goes_while_its_question_is_held_is_told_at_once() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let told = agent.ask(None).await.unwrap();
    let started = Instant::now();
    let held = agent.clone();
    let held = tokio::spawn(async move { held.refused(Some(&told)).await });
    tokio::task::yield_now().await;
    world.pod_goes(pod("team-a", "app-1", "u-1"));
    assert_eq!(held.await.unwrap(), "PodGone");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_terminates_is_served_until_its_grace_is_over() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let leaves = |after| {
        let mut leaving = pod("team-a", "app-1", "u-1");
        let at = now() + SignedDuration::from_secs(after);
        leaving["metadata"]["deletionTimestamp"] = json!(at.strftime("%FT%TZ").to_string());
        leaving
    };
    world.pod_comes(leaves(30));
    assert!(agent.ask(None).await.is_some());
    world.pod_comes(leaves(-1));
    assert_eq!(agent.refused(None).await, "PodGone");
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_waited_for_that_its_watch_has_not_brought_yet() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&token("team-a", "app", "new", "u-2"));
    let asking = tokio::spawn(async move { agent.ask(None).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.pod_comes(pod("team-a", "new", "u-2"));
    let told = asking.await.unwrap().unwrap();
    assert_eq!(session_name(&told), "alter.team-a.bedrock");
}

#[tokio::test(start_paused = true)]
async fn another_service_account_is_refused() {
    let mut world = World::new(&json!({}));
    world.grant_becomes(grant("team-a", &json!({"serviceAccounts": ["job"]})));
    assert_eq!(
        world.agent(&first()).refused(None).await,
        "ServiceAccountNotAllowed"
    );
    let job = world.agent(&token("team-a", "job", "app-1", "u-1"));
    assert!(job.ask(None).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_grant_of_another_namespace_cannot_be_named() {
    let mut world = World::new(&json!({}));
    world
        .fillers
        .grants
        .take(&kube::runtime::watcher::Event::Delete(
            kube::core::DeserializeGuard(Ok(grant("team-a", &json!({})))),
        ));
    // That of team-b is still there.
    let agent = world.agent(&first());
    assert_eq!(agent.refused(None).await, "GrantNotFound");
    for name in ["team-b/bedrock", "../team-b/bedrock", "bedrock.team-b", ""] {
        let question = json!({"grants": [{"grant": name}]});
        let (status, body) = agent.send(question.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("GrantNotFound"), "{body}");
    }
    assert_eq!(world.aws.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_none_for_the_broker_are_not_answered() {
    let world = World::new(&json!({}));
    let later = now().as_second() + 600;
    let of = |aud: serde_json::Value, exp: i64, pod: &str| {
        token_of(&json!({
            "aud": aud, "exp": exp, "user": "system:serviceaccount:team-a:app", "pod": pod, "uid": "u-1",
        }))
    };
    let other = of(json!(["https://kubernetes.default.svc"]), later, "app-1");
    let old = of(json!(["alter.dev"]), now().as_second() - 1, "app-1");
    for (token, expected) in [
        (other.as_str(), "another audience"),
        (&old, "expired at"),
        ("no token", "none of a service account"),
        ("", "send it as Authorization"),
    ] {
        let message = world
            .agent(token)
            .unanswered(StatusCode::UNAUTHORIZED)
            .await;
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(
        world.reviews.load(Ordering::SeqCst),
        0,
        "they are not shown to the API server"
    );
    let free = of(json!(["alter.dev"]), later, "");
    let message = world
        .agent(&free)
        .unanswered(StatusCode::UNAUTHORIZED)
        .await;
    assert!(message.contains("not of a pod"), "{message}");
    let gone = first();
    world.forgotten.lock().unwrap().push(gone.clone());
    let message = world
        .agent(&gone)
        .unanswered(StatusCode::UNAUTHORIZED)
        .await;
    assert!(message.contains("does not accept the token"), "{message}");
    assert!(!world.metrics().contains("outcome=\"session\""));
}

#[tokio::test(start_paused = true)]
async fn the_api_server_is_asked_once_a_minute_at_most_about_one_token() {
    let world = World::new(&json!({}));
    let agent = world.agent(&first());
    for _ in 0..5 {
        assert!(agent.ask(None).await.is_some());
    }
    assert_eq!(world.reviews.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_is_held_until_something_changes() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let told = agent.ask(None).await.unwrap();
    let started = Instant::now();
    assert_eq!(agent.ask(Some(&told)).await, None);
    assert_eq!(started.elapsed().as_secs(), 55);

    let (asking, known) = (agent.clone(), told.clone());
    let held = tokio::spawn(async move { asking.refused(Some(&known)).await });
    tokio::task::yield_now().await;
    // What leaves the session as it is wakes nobody's agent.
    world.identity_becomes(identity(&json!({})));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!held.is_finished());
    world.grant_becomes(grant("team-a", &json!({"suspend": true})));
    assert_eq!(held.await.unwrap(), "Suspended");

    let refused = agent.ask(None).await.unwrap();
    let asking = agent.clone();
    let held = tokio::spawn(async move { asking.ask(Some(&refused)).await });
    tokio::task::yield_now().await;
    world.grant_becomes(grant("team-a", &json!({})));
    assert_eq!(
        held.await.unwrap(),
        Some(told),
        "the same session, with the same tag"
    );
}

#[tokio::test(start_paused = true)]
async fn who_has_a_session_is_told_last_of_what_ends_by_itself() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let told = agent.ask(None).await.unwrap();
    let mut edited = identity(&json!({}));
    edited.metadata.generation = Some(2);
    world.identity_becomes(edited);
    // Whoever has none learns why.
    let waiting = agent.ask(None).await.unwrap();
    assert!(matches!(&waiting.news, News::Waiting(why) if why.reason == "Pending"));
    let started = Instant::now();
    assert_eq!(agent.ask(Some(&told)).await, Some(waiting));
    assert_eq!(started.elapsed().as_secs(), 55);
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_is_told_as_what_it_is_and_asked_once() {
    let world = World::new(&json!({}));
    *world.aws.refuses.lock().unwrap() = true;
    let agent = world.agent(&first());
    for _ in 0..3 {
        let told = agent.ask(None).await.unwrap();
        assert!(
            matches!(&told.news, News::Waiting(why) if why.message.contains("spec.credentials"))
        );
    }
    assert_eq!(world.aws.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_too_often_is_put_off() {
    let mut world = World::new(&json!({}));
    world.pod_comes(pod("team-a", "app-2", "u-2"));
    let agent = world.agent(&first());
    let mut asked = 0;
    while agent
        .send(r#"{"grants":[{"grant":"bedrock"}]}"#.to_owned())
        .await
        .0
        == StatusCode::OK
    {
        asked += 1;
        assert!(asked < 1_000);
    }
    let message = agent.unanswered(StatusCode::TOO_MANY_REQUESTS).await;
    assert!(message.contains("asks too often"), "{message}");
    let other = world.agent(&token("team-a", "app", "app-2", "u-2"));
    assert!(other.ask(None).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn questions_have_an_end() {
    let world = World::new(&json!({}));
    let agent = world.agent(&first());
    let many: Vec<_> = (0..65)
        .map(|n| json!({"grant": format!("g-{n}")}))
        .collect();
    for body in [
        json!({"grants": many}).to_string(),
        json!({"grants": []}).to_string(),
        format!("{{\"grants\":[],\"more\":\"{}\"}}", "x".repeat(20_000)),
        "{".to_owned(),
    ] {
        assert_eq!(agent.send(body).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test(start_paused = true)]
async fn one_question_is_of_all_grants_of_a_pod() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let mut known = vec![json!({"grant": "none"}), json!({"grant": "bedrock"})];
    // What comes first is told first.
    while known.iter().any(|own| own["known"].is_null()) {
        let (_, body) = agent.send(json!({"grants": known}).to_string()).await;
        for told in Answer::from_json(body.as_bytes()).unwrap().grants {
            let own = known.iter_mut().find(|own| own["grant"] == told.grant);
            own.unwrap()["known"] = json!(told.tag);
        }
    }
    let held = tokio::spawn(async move { agent.send(json!({"grants": known}).to_string()).await });
    tokio::task::yield_now().await;
    world.grant_becomes(grant("team-a", &json!({"suspend": true})));
    let (_, body) = held.await.unwrap();
    let told = Answer::from_json(body.as_bytes()).unwrap().grants;
    assert_eq!((told.len(), told[0].grant.as_str()), (1, "bedrock"));
}

#[tokio::test(start_paused = true)]
async fn a_session_from_before_a_revocation_is_replaced_or_dropped() {
    let mut world = World::new(&json!({}));
    let agent = world.agent(&first());
    let told = agent.ask(None).await.unwrap();
    let mut revoking = grant("team-a", &json!({}));
    let cut = now().strftime("%FT%TZ").to_string();
    revoking.metadata.annotations = Some([("alter.dev/revoke-before".to_owned(), cut)].into());
    *world.aws.refuses.lock().unwrap() = true;
    world.grant_becomes(revoking);
    // The session that the agent has is gone also where there is no new one.
    assert_eq!(agent.refused(Some(&told)).await, "Revoked");
    let waiting = agent.ask(None).await.unwrap();
    assert!(matches!(waiting.news, News::Waiting(_)), "nobody had one");
}

/// A pod that asks while AWS takes its time.
async fn asking(world: &World) -> JoinHandle<Option<Told>> {
    let agent = world.agent(&first());
    let asked = world.aws.asked.clone();
    let held = tokio::spawn(async move { agent.ask(None).await });
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    held
}

fn reason_of(told: Option<Told>) -> String {
    match told.map(|told| told.news) {
        Some(News::Refused(why)) => why.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_no_answer_of_aws() {
    let mut world = World::new(&json!({}));
    let busy = world.aws.busy.clone().write_owned().await;
    let held = asking(&world).await;
    world.grant_becomes(grant("team-a", &json!({"suspend": true})));
    assert_eq!(reason_of(held.await.unwrap()), "Suspended");
    drop(busy);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_comes_after_the_refusal_is_not_handed_out() {
    // Which of the two is heard first is a matter of chance.
    for _ in 0..20 {
        let mut world = World::new(&json!({}));
        let busy = world.aws.busy.clone().write_owned().await;
        let held = asking(&world).await;
        drop(busy);
        world.grant_becomes(grant("team-a", &json!({"suspend": true})));
        assert_eq!(reason_of(held.await.unwrap()), "Suspended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_what_the_grant_was_is_followed_by_one_of_what_it_is() {
    for _ in 0..20 {
        let mut world = World::new(&json!({}));
        let busy = world.aws.busy.clone().write_owned().await;
        let held = asking(&world).await;
        drop(busy);
        world.grant_becomes(grant("team-a", &json!({"region": "eu-west-1"})));
        let told = held.await.unwrap().unwrap();
        assert!(matches!(&told.news, News::Session(own) if own.document.region == "eu-west-1"));
        assert_eq!(world.aws.asked.load(Ordering::SeqCst), 2);
    }
}
