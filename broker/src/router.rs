//! The one path that agents ask on. Tests drive the router without TLS.

use crate::{
    answer::Desk,
    authenticate::{AuthenticateError, Authenticator},
    clock,
    metrics::Metrics,
    quota::Quotas,
    sessions::Source,
};
use alter_protocol::broker::{Answer, GRANTS, MessageError, News, PATH, Problem, Question};
use alter_runtime::port::Ending;
use axum::{
    Extension, Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Of a question: 64 grants of at most 50 characters, each with a tag of some 30.
const LIMIT: usize = 16 << 10;
/// How long a question's body may take. Agents send it at once.
const ARRIVAL: Duration = Duration::from_secs(5);
/// A token has about 1 KiB.
const TOKEN: usize = 8 << 10;

/// What the handler shares.
pub struct App<S> {
    /// Answers.
    pub desk: Desk<S>,
    /// Finds out who asks.
    pub authenticator: Authenticator,
    /// Where answers are counted.
    pub metrics: Metrics,
    pub(crate) quotas: Quotas,
}

impl<S> App<S> {
    /// With nobody's quota used yet.
    #[must_use]
    pub fn new(desk: Desk<S>, authenticator: Authenticator, metrics: Metrics) -> Self {
        Self {
            desk,
            authenticator,
            metrics,
            quotas: Quotas::default(),
        }
    }
}

/// A question without an answer. Takes nothing away from the agent that asked.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("there is no token: send it as Authorization: Bearer")]
    NoToken,
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    #[error("the pod asks too often: its agent asks again by itself")]
    TooMany,
    #[error("the question did not arrive whole within {} s, with at most {LIMIT} bytes", ARRIVAL.as_secs())]
    Body,
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("the question names {0} grants: send 1 to {GRANTS}")]
    Grants(usize),
}

impl Unanswered {
    const fn category(&self) -> &'static str {
        match self {
            Self::NoToken => "NoToken",
            Self::Authenticate(error) => error.category(),
            Self::TooMany => "TooMany",
            Self::Body => "Body",
            Self::Message(_) => "Message",
            Self::Grants(_) => "Grants",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Authenticate(AuthenticateError::Unaccepted(_)) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Authenticate(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Body | Self::Message(_) | Self::Grants(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let mut response = (self.status(), Json(Problem { message })).into_response();
        if let Self::Body = self {
            // What is left of the body is not read.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

/// The broker's router.
pub fn router<S: Source>(app: Arc<App<S>>) -> Router {
    Router::new().route(PATH, post(handle::<S>)).with_state(app)
}

async fn handle<S: Source>(
    State(app): State<Arc<App<S>>>,
    ending: Option<Extension<Ending>>,
    request: Request<Body>,
) -> Response {
    let ending = ending.map_or_else(CancellationToken::new, |own| own.0.0);
    match answer(&app, request, ending).await {
        Ok(answer) => {
            count(&app.metrics, &answer);
            let body = Bytes::from_owner(answer.to_json());
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => {
            app.metrics.told("unanswered", error.category());
            tracing::debug!(%error, "a question is not answered");
            error.into_response()
        }
    }
}

async fn answer<S: Source>(
    app: &App<S>,
    request: Request<Body>,
    ending: CancellationToken,
) -> Result<Answer, Unanswered> {
    // 1. Who asks.
    let (parts, body) = request.into_parts();
    let token = token(&parts.headers).ok_or(Unanswered::NoToken)?;
    let caller = app.authenticator.authenticate(token).await?;
    // 2. Not too often.
    let visit = app.quotas.enter(&caller.uid, clock::now());
    let _visit = visit.ok_or(Unanswered::TooMany)?;
    // 3. For what.
    let read = tokio::time::timeout(ARRIVAL, to_bytes(body, LIMIT)).await;
    let Ok(Ok(body)) = read else {
        return Err(Unanswered::Body);
    };
    let question = Question::from_json(&body)?;
    if !(1..=GRANTS).contains(&question.grants.len()) {
        return Err(Unanswered::Grants(question.grants.len()));
    }
    // 4. What is new of that.
    let _held = app.metrics.hold();
    Ok(app.desk.answer(&caller, &question, ending).await)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix("Bearer ")?;
    (!token.is_empty() && token.len() <= TOKEN).then_some(token)
}

fn count(metrics: &Metrics, answer: &Answer) {
    if answer.grants.is_empty() {
        metrics.told("unchanged", "");
    }
    for told in &answer.grants {
        match &told.news {
            News::Session(_) => metrics.told("session", ""),
            News::Refused(why) => metrics.told("refused", &why.reason),
            News::Waiting(why) => metrics.told("waiting", &why.reason),
        }
    }
}
