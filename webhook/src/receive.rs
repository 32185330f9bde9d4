//! A request's body: how large, how slow, and how much of all of them in memory at once.
//!
//! What is read from a body takes up to some forty times its size, so bodies wait for their turn. All of the
//! API server's but the largest pods are small: nobody's large one keeps them waiting.

use crate::review::ReviewError;
use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use std::{error::Error, time::Duration};
use tokio::{
    sync::{AcquireError, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// How long a request may take from its head to its answer: so long the API server waits by default.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Larger bodies are decided one at a time.
pub const SMALL: usize = 64 << 10;
/// How long a larger body may take to arrive once there is room for it. The API server sends it at once.
const ARRIVAL: Duration = Duration::from_secs(2);
/// How many bytes of larger bodies may be arriving, or waiting for their turn.
const ARRIVING: usize = 8 << 20;
/// How many bytes of small bodies are decided about at once; a pod's review has about 8 KiB.
const DECIDED: usize = 1 << 20;

/// Where bodies wait for their turn.
#[derive(Debug)]
pub struct Gates {
    arriving: Semaphore,
    large: Semaphore,
    small: Semaphore,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            arriving: Semaphore::new(ARRIVING),
            large: Semaphore::new(1),
            small: Semaphore::new(DECIDED),
        }
    }
}

/// A body whose turn it is, until it is dropped.
#[derive(Debug)]
pub struct Turn<'g> {
    /// The whole body.
    pub body: Bytes,
    _permit: SemaphorePermit<'g>,
}

/// A request that is no review, or not now.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not JSON.
    #[error("the content type is {0:?}: send application/json")]
    ContentType(String),
    /// Too large.
    #[error("the body is over {0} bytes: send a smaller object")]
    Large(usize),
    /// Cut off.
    #[error("the body broke off: send a review as the API server does")]
    Body,
    /// Too slow.
    #[error("the body did not arrive in time: send it at once")]
    Slow,
    /// Others are before it.
    #[error("too many reviews at once: try again")]
    Busy,
    /// Not a review.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// A fault of the webhook.
    #[error("the answer cannot be written: {0}; report this")]
    Answer(serde_json::Error),
}

impl Refusal {
    /// The metrics' `reason`.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::ContentType(_) => "ContentType",
            Self::Large(_) => "Large",
            Self::Body => "Body",
            Self::Slow => "Slow",
            Self::Busy => "Busy",
            Self::Review(_) => "Review",
            Self::Answer(_) => "Answer",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Large(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body | Self::Review(_) => StatusCode::BAD_REQUEST,
            Self::Answer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if matches!(self, Self::Busy) {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl Gates {
    /// Reads a body of at most `limit` bytes until `deadline`, and waits for its turn.
    pub async fn receive(
        &self,
        request: Request<Body>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Turn<'_>, Refusal> {
        check_content_type(&request)?;
        let body = request.into_body();
        let size = body.size_hint().upper();
        match size.and_then(|size| usize::try_from(size).ok()) {
            Some(size) if size <= SMALL => {
                let body = read(body, SMALL, deadline).await?;
                let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
                let permit = in_time(deadline, self.small.acquire_many(bytes)).await?;
                Ok(Turn {
                    body,
                    _permit: permit,
                })
            }
            Some(size) if size > limit => Err(Refusal::Large(limit)),
            // Also where nobody says how large it is, which the API server does.
            size => {
                let bytes = u32::try_from(size.unwrap_or(limit)).unwrap_or(u32::MAX);
                let _room = in_time(deadline, self.arriving.acquire_many(bytes)).await?;
                let soon = deadline.min(Instant::now() + ARRIVAL);
                let body = read(body, limit, soon).await?;
                let permit = in_time(deadline, self.large.acquire()).await?;
                Ok(Turn {
                    body,
                    _permit: permit,
                })
            }
        }
    }
}

/// A turn that comes in time.
async fn in_time<'g>(
    deadline: Instant,
    turn: impl Future<Output = Result<SemaphorePermit<'g>, AcquireError>>,
) -> Result<SemaphorePermit<'g>, Refusal> {
    match timeout_at(deadline, turn).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Refusal::Busy),
    }
}

async fn read(body: Body, limit: usize, deadline: Instant) -> Result<Bytes, Refusal> {
    match timeout_at(deadline, to_bytes(body, limit)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error))
            if error
                .source()
                .is_some_and(<dyn Error>::is::<LengthLimitError>) =>
        {
            Err(Refusal::Large(limit))
        }
        Ok(Err(_)) => Err(Refusal::Body),
        Err(_) => Err(Refusal::Slow),
    }
}

fn check_content_type(request: &Request<Body>) -> Result<(), Refusal> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map_or(&[][..], HeaderValue::as_bytes);
    // A parameter, such as a charset, may follow.
    if content_type.starts_with(b"application/json") {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(content_type);
    Err(Refusal::ContentType(shown.chars().take(80).collect()))
}
