//! The three paths that the API server asks on. Tests drive the router without TLS.

use crate::{
    cache::Cache,
    decide,
    metrics::{Metrics, Outcome},
    pod::{Settings, view::Pod},
    receive::{DEADLINE, Gates, Refusal},
    review::{self, Review, Verdict},
};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, header},
    response::{IntoResponse, Response},
    routing::post,
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Where pods are mutated.
pub const MUTATE_PODS: &str = "/mutate-pods";
/// Where grants are validated.
pub const VALIDATE_GRANTS: &str = "/validate-awsgrants";
/// Where identities are validated.
pub const VALIDATE_IDENTITIES: &str = "/validate-awsidentities";

/// Of a pod's review: etcd takes objects of 1.5 MiB, and no pod that anyone wrote comes near. What is read of
/// such a body takes some 40 MiB.
const POD_LIMIT: usize = 1 << 20;
/// Of a review of a grant or identity, as it was and as it is to be. To what is larger nobody needs an early
/// answer: the operator decides.
const KIND_LIMIT: usize = 512 << 10;

/// What the handlers share.
pub struct App {
    /// What is known of the cluster.
    pub cache: Cache,
    /// What of the installation goes into pods.
    pub settings: Settings,
    /// Where reviews are counted.
    pub metrics: Metrics,
    /// Where reviews wait for their turn.
    pub gates: Gates,
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
    let deadline = Instant::now() + DEADLINE;
    let limit = if path == MUTATE_PODS {
        POD_LIMIT
    } else {
        KIND_LIMIT
    };
    let received = app.gates.receive(request, limit, deadline).await;
    let started = Instant::now();
    let answered = match received {
        Ok(turn) => timeout_at(deadline, review(&app, path, &turn.body))
            .await
            .unwrap_or(Err(Refusal::Busy)),
        Err(refusal) => Err(refusal),
    };
    let (outcome, response) = match answered {
        Ok((verdict, answer)) => (outcome(&verdict), json(answer)),
        Err(refusal) => {
            tracing::debug!(path, reason = refusal.category(), error = %refusal, "refused a request");
            let outcome = Outcome::Malformed(refusal.category());
            (outcome, refusal.into_response())
        }
    };
    app.metrics.record(path, outcome, started.elapsed());
    response
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
            let verdict = decide::grant(&app.cache, &app.settings, &request).await;
            (request.uid, verdict)
        }
        _ => {
            let request = Review::read(body)?;
            (request.uid.clone(), decide::identity(&app.cache, &request))
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
