//! How large, how slow and how many bodies may be, on a clock that stands still but for waits.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod served;

use alter_webhook::{
    receive::SMALL,
    router::{MUTATE_PODS, VALIDATE_GRANTS, VALIDATE_IDENTITIES},
};
use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use futures::{StreamExt, future::join_all, stream};
use served::{Webhook, pod, post, review, webhook};
use std::convert::Infallible;
use tokio::time::Instant;
use tower::ServiceExt;

/// Of unknown length.
fn streamed(path: &str, chunks: Vec<Bytes>, ends: bool) -> Request<Body> {
    let chunks = stream::iter(chunks).map(Ok::<_, Infallible>);
    let body = if ends {
        Body::from_stream(chunks)
    } else {
        Body::from_stream(chunks.chain(stream::pending()))
    };
    post(path, body)
}

async fn refused(webhook: &Webhook, request: Request<Body>) -> (StatusCode, String) {
    let (status, text) = webhook.send(request).await;
    (status, String::from_utf8(text).unwrap())
}

#[tokio::test(start_paused = true)]
async fn bodies_have_an_end() {
    let webhook = webhook();
    for (path, limit) in [
        (MUTATE_PODS, 1_048_576),
        (VALIDATE_GRANTS, 524_288),
        (VALIDATE_IDENTITIES, 524_288),
    ] {
        let fits = refused(&webhook, post(path, " ".repeat(limit))).await;
        assert!(fits.1.contains("no AdmissionReview"), "{fits:?}");
        let half = Bytes::from(" ".repeat(limit / 2 + 1));
        let message = format!("the body is over {limit} bytes: send a smaller object\n");
        for over in [
            post(path, " ".repeat(limit + 1)),
            streamed(path, vec![half.clone(), half], false),
        ] {
            let expected = (StatusCode::PAYLOAD_TOO_LARGE, message.clone());
            assert_eq!(refused(&webhook, over).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let webhook = webhook();
    let started = Instant::now();
    let (status, text) = refused(&webhook, streamed(MUTATE_PODS, Vec::new(), false)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert!(text.contains("did not arrive in time"), "{text}");
    assert_eq!(started.elapsed().as_secs(), 2);
    let metrics = webhook.metrics();
    assert!(
        metrics.contains(r#"outcome="malformed",reason="Slow"} 1"#),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn large_bodies_that_do_not_come_keep_no_other_waiting() {
    let webhook = webhook();
    let slow = |count| {
        let all: Vec<_> = (0..count)
            .map(|_| {
                let slow = streamed(MUTATE_PODS, Vec::new(), false);
                tokio::spawn(webhook.router.clone().oneshot(slow))
            })
            .collect();
        all
    };
    let question = review("CREATE", &pod("bedrock"));
    let large = question.to_string() + &" ".repeat(SMALL);
    let seven = slow(7);
    tokio::task::yield_now().await;
    let started = Instant::now();
    assert_eq!(webhook.ask(MUTATE_PODS, &question).await["allowed"], true);
    let (status, _) = webhook.send(post(MUTATE_PODS, large.clone())).await;
    assert_eq!((status, started.elapsed().as_secs()), (StatusCode::OK, 0));
    // With more there is no room until they are given up.
    let more = slow(17);
    tokio::task::yield_now().await;
    let (status, _) = webhook.send(post(MUTATE_PODS, large)).await;
    assert_eq!((status, started.elapsed().as_secs()), (StatusCode::OK, 6));
    for slow in seven.into_iter().chain(more) {
        let answer = slow.await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    }
}

/// The API server answers nobody, so each review that asks it holds its turn for 3 s.
#[tokio::test(start_paused = true)]
async fn too_many_reviews_at_once_are_told_to_come_again() {
    let webhook = webhook();
    let mut question = review("CREATE", &pod("late")).to_string();
    question.push_str(&" ".repeat(SMALL - question.len()));
    let started = Instant::now();
    // 16 fit at a time.
    let answers = join_all((0..80).map(|_| {
        let question = post(MUTATE_PODS, question.clone());
        webhook.router.clone().oneshot(question)
    }))
    .await;
    assert_eq!(started.elapsed().as_secs(), 10);
    let (answered, busy): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .map(Result::unwrap)
        .partition(|answer| answer.status() == StatusCode::OK);
    assert_eq!((answered.len(), busy.len()), (48, 32));
    for answer in busy {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    }
    assert!(webhook.metrics().contains(r#"reason="Busy"} 32"#));
    // Afterwards all is as before.
    let question = review("CREATE", &pod("bedrock"));
    assert_eq!(webhook.ask(MUTATE_PODS, &question).await["allowed"], true);
}
