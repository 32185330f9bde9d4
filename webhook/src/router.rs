//! The three paths that the API server asks on. Tests drive the router without TLS.

use crate::{
    cache::Cache,
    decide,
    metrics::{Metrics, Outcome},
    pod::{Settings, view::Pod},
    review::{self, Review, ReviewError, Verdict},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Where pods are mutated.
pub const MUTATE_PODS: &str = "/mutate-pods";
/// Where grants are validated.
pub const VALIDATE_GRANTS: &str = "/validate-awsgrants";
/// Where identities are validated.
pub const VALIDATE_IDENTITIES: &str = "/validate-awsidentities";

/// The API server takes requests of 3 MiB, and puts old and new object into a review.
const BODY_LIMIT: usize = 3 << 20;
/// How long a body may take to arrive. The API server sends it at once.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// What the handlers share.
pub struct App {
    /// What is known of the cluster.
    pub cache: Cache,
    /// What of the installation goes into pods.
    pub settings: Settings,
    /// Where reviews are counted.
    pub metrics: Metrics,
}

/// A request that is no review.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the content type is {0:?}: send application/json")]
    ContentType(String),
    #[error(
        "the body is over {BODY_LIMIT} bytes, or broke off: send a review as the API server does"
    )]
    Body,
    #[error("the body did not arrive within {} s: send it at once", BODY_DEADLINE.as_secs())]
    Deadline,
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error("the answer cannot be written: {0}; report this")]
    Answer(serde_json::Error),
}

impl Refusal {
    const fn category(&self) -> &'static str {
        match self {
            Self::ContentType(_) => "ContentType",
            Self::Body => "Body",
            Self::Deadline => "Deadline",
            Self::Review(_) => "Review",
            Self::Answer(_) => "Answer",
        }
    }
}

/// The webhook's router.
pub fn router(app: Arc<App>) -> Router {
    let route = |path| {
        post(move |State(app): State<Arc<App>>, request: Request<Body>| handle(app, path, request))
    };
    Router::new()
        .route(MUTATE_PODS, route(MUTATE_PODS))
        .route(VALIDATE_GRANTS, route(VALIDATE_GRANTS))
        .route(VALIDATE_IDENTITIES, route(VALIDATE_IDENTITIES))
        .with_state(app)
}

async fn handle(app: Arc<App>, path: &'static str, request: Request<Body>) -> Response {
    let received = receive(request).await;
    let started = Instant::now();
    let answered = match received {
        Ok(body) => review(&app, path, &body).await,
        Err(refusal) => Err(refusal),
    };
    let (outcome, response) = match answered {
        Ok((verdict, answer)) => (outcome(&verdict), json(answer)),
        Err(refusal) => {
            tracing::debug!(path, reason = refusal.category(), error = %refusal, "refused a request");
            let outcome = Outcome::Malformed(refusal.category());
            (
                outcome,
                (StatusCode::BAD_REQUEST, format!("{refusal}\n")).into_response(),
            )
        }
    };
    app.metrics.record(path, outcome, started.elapsed());
    response
}

async fn receive(request: Request<Body>) -> Result<Bytes, Refusal> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map_or(&[][..], |value| value.as_bytes());
    // A parameter, such as a charset, may follow.
    if !content_type.starts_with(b"application/json") {
        let shown = String::from_utf8_lossy(content_type)
            .chars()
            .take(80)
            .collect();
        return Err(Refusal::ContentType(shown));
    }
    let body = axum::body::to_bytes(request.into_body(), BODY_LIMIT);
    match tokio::time::timeout(BODY_DEADLINE, body).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Refusal::Body),
        Err(_) => Err(Refusal::Deadline),
    }
}

async fn review(app: &App, path: &str, body: &[u8]) -> Result<(Verdict, Vec<u8>), Refusal> {
    let (uid, verdict) = match path {
        MUTATE_PODS => {
            let request = Review::<Pod<'_>>::read(body)?;
            let verdict = decide::pod(&app.cache, &app.settings, &request).await;
            (request.uid, verdict)
        }
        VALIDATE_GRANTS => {
            let request = Review::read(body)?;
            let verdict = decide::grant(&app.cache, &request).await;
            (request.uid, verdict)
        }
        _ => {
            let request = Review::read(body)?;
            (request.uid.clone(), decide::identity(&request))
        }
    };
    let answer = review::answer(&uid, &verdict).map_err(Refusal::Answer)?;
    Ok((verdict, answer))
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Allowed { patch, .. } if patch.0.is_empty() => Outcome::Allowed,
        Verdict::Allowed { .. } => Outcome::Patched,
        Verdict::Denied { category, .. } => Outcome::Denied(category),
    }
}

fn json(answer: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
}
