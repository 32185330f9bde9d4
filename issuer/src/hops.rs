//! Sessions of the roles through which others are assumed: an identity's own, which its grants share.

use crate::{clock, term::Term};
use alter_aws::{Assumed, RoleRequest, Settings, Source, Sts, StsError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// So many ways are kept at once: grants choose them, within what their rules allow.
const KEPT: usize = 64;

/// The sessions by the roles that lead to them. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Hops(Arc<Mutex<HashMap<Vec<String>, Arc<Place>>>>);

/// Held while the session is obtained, so that many grants ask for it once.
type Place = tokio::sync::Mutex<Option<Hop>>;

/// A session of a hop, as the caller of the next.
#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) sts: Sts,
    /// Which the source has set, and nobody after it can change.
    pub(crate) source_identity: Option<String>,
    term: Term,
}

/// Where the STS of the hops is.
pub(crate) struct Site<'a> {
    pub(crate) region: &'a str,
    pub(crate) endpoint: Option<&'a str>,
}

impl Hops {
    /// Walks through the hops, and gives the last one's session. `assume` makes one call of STS as the caller
    /// that it is given.
    ///
    /// A session at hand is worked with while it is good; where it cannot be followed by another, to its end.
    pub(crate) async fn walk<F>(
        &self,
        from: Hop,
        hops: &[RoleRequest],
        site: &Site<'_>,
        assume: impl Fn(Sts, RoleRequest) -> F,
    ) -> Result<Hop, StsError>
    where
        F: Future<Output = Result<Assumed, StsError>>,
    {
        let (mut at, mut way) = (from, Vec::new());
        for request in hops {
            way.push(request.role_arn.clone());
            let place = self.place(&way);
            let mut held = place.lock().await;
            let now = clock::now();
            if let Some(hop) = held.as_ref().filter(|hop| !hop.term.is_due(now)) {
                at = hop.clone();
                continue;
            }
            at = match assume(at.sts.clone(), request.clone()).await {
                Ok(assumed) => held.insert(hop(assumed, &at, site).await).clone(),
                Err(error) => {
                    let term = held
                        .as_ref()
                        .and_then(|hop| hop.term.extended(clock::now()));
                    let Some((old, term)) = held.as_mut().zip(term) else {
                        return Err(error);
                    };
                    tracing::warn!(role = request.role_arn, %error, "the session of a role in a chain is worked with a little longer");
                    old.term = term;
                    old.clone()
                }
            };
        }
        Ok(at)
    }

    /// Forgets the sessions on the way, one of which AWS refused; whether there were any.
    pub(crate) fn forget(&self, hops: &[RoleRequest]) -> bool {
        let mut way = Vec::new();
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forgot = false;
        for hop in hops {
            way.push(hop.role_arn.clone());
            let place = places.remove(&way);
            forgot |= place.is_some_and(|own| own.try_lock().is_ok_and(|held| held.is_some()));
        }
        forgot
    }

    fn place(&self, way: &[String]) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains_key(way) && places.len() >= KEPT {
            let now = clock::now();
            // Those in use are locked, and not to be seen into.
            places.retain(|_, place| {
                let held = place.try_lock();
                held.map_or(true, |held| {
                    held.as_ref().is_some_and(|hop| !hop.term.is_due(now))
                })
            });
            if places.len() >= KEPT {
                let other = places.keys().next().cloned();
                other.and_then(|other| places.remove(&other));
            }
        }
        places.entry(way.to_vec()).or_default().clone()
    }
}

impl Hop {
    /// Where a way begins: the identity itself.
    pub(crate) fn start(sts: Sts, source_identity: Option<String>) -> Self {
        Self {
            sts,
            source_identity,
            term: Term::new(jiff::Timestamp::MIN, jiff::Timestamp::MAX),
        }
    }
}

async fn hop(assumed: Assumed, before: &Hop, site: &Site<'_>) -> Hop {
    let session = assumed.session;
    let term = Term::new(clock::now(), session.expiration);
    let settings = Settings {
        region: site.region.to_owned(),
        endpoint: site.endpoint.map(str::to_owned),
        source: Source::Session(session),
    };
    Hop {
        sts: Sts::new(settings).await,
        source_identity: assumed
            .source_identity
            .or_else(|| before.source_identity.clone()),
        term,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ways_without_end_are_not_kept() {
        let hops = Hops::default();
        let in_use = hops.place(&["first".to_owned()]);
        let _held = in_use.lock().await;
        for number in 0..200 {
            hops.place(&["first".to_owned(), number.to_string()]);
            assert!(hops.0.lock().unwrap().len() <= KEPT);
        }
    }
}
