//! Finds out which pod a token is of, by asking the API server.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/>

use crate::{
    caller::{Caller, Unaccepted, ends, reviewed},
    clock,
};
use alter_crds::answer::InWords;
use alter_protocol::broker::AUDIENCE;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// How long the API server's word holds. That a pod is gone is known sooner, by its watch; that its service account
/// is, by this.
const KEPT: SignedDuration = SignedDuration::from_mins(1);
/// How long the API server may take, and a token wait for its turn to be asked about.
const DEADLINE: Duration = Duration::from_secs(5);
/// So many tokens are asked about at a time: anyone who reaches the port can make some up.
const AT_ONCE: usize = 32;

/// Why nobody knows whose a token is, or that it is nobody's.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// It is not accepted.
    #[error(transparent)]
    Unaccepted(#[from] Unaccepted),
    /// The API server refused or failed to say.
    #[error("the broker cannot check tokens: {}; it is asked again by itself", InWords(.0))]
    Review(#[source] Box<kube::Error>),
    /// The API server did not say in time.
    #[error(
        "the API server did not check the token within {} s; it is asked again by itself",
        DEADLINE.as_secs()
    )]
    Deadline,
}

impl AuthenticateError {
    /// The metrics' `reason`.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Unaccepted(why) => why.category(),
            Self::Review(_) => "ReviewFailed",
            Self::Deadline => "ReviewTimedOut",
        }
    }
}

/// Asks the API server, and remembers for a short while what it said.
pub struct Authenticator {
    api: Api<TokenReview>,
    turns: Semaphore,
    known: Mutex<Known>,
}

/// By the token's SHA-256: the pod, and until when that holds.
type Known = HashMap<[u8; 32], (Arc<Caller>, Timestamp)>;

impl Authenticator {
    /// Asks nobody yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            api: Api::all(client),
            turns: Semaphore::new(AT_ONCE),
            known: Mutex::default(),
        }
    }

    /// The pod that a token is of.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AuthenticateError> {
        let now = clock::now();
        let end = ends(token, now)?;
        let key = Sha256::digest(token).into();
        if let Some((caller, until)) = self.lock().get(&key)
            && now < *until
        {
            return Ok(caller.clone());
        }
        let asked = async {
            // Never closed, so there is a permit in the end.
            let _turn = self.turns.acquire().await;
            self.review(token).await
        };
        let answer = tokio::time::timeout(DEADLINE, asked).await;
        let caller = Arc::new(answer.map_err(|_| AuthenticateError::Deadline)??);
        let until = (now + KEPT).min(end);
        let mut known = self.lock();
        if known.len() == known.capacity() {
            known.retain(|_, (_, until)| now < *until);
        }
        known.insert(key, (caller.clone(), until));
        Ok(caller)
    }

    async fn review(&self, token: &str) -> Result<Caller, AuthenticateError> {
        let review = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                audiences: Some(vec![AUDIENCE.to_owned()]),
                token: Some(token.to_owned()),
            },
            status: None,
        };
        let answer = self.api.create(&PostParams::default(), &review).await;
        let review = answer.map_err(|error| AuthenticateError::Review(Box::new(error)))?;
        Ok(reviewed(review.status)?)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
