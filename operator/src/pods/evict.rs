//! Evicting orphans, where the installation asks for it: whom, decided over plain values, and the call.
//!
//! Whether the next pod gets its agent is not known before it is there: the webhook may be away still, or not be asked
//! about the namespace. So of each controller one pod is evicted a pass, and where its next one comes without an agent
//! too, another only after a while that doubles.

use super::seen::Seen;
use crate::lease::{Fence, Fenced};
use alter_crds::answer::InWords;
use alter_policy::backoff::doubled;
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::{ObjectReference, Pod},
        policy::v1::Eviction,
    },
    apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions},
};
use kube::{
    Api, Client, Error, Resource,
    api::PostParams,
    core::{ObjectMeta, response::Status},
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// So many a pass.
const AT_ONCE: usize = 5;
/// A controller whose next pod came without an agent is tried again after this, which doubles.
const AGAIN_AFTER: Duration = Duration::from_mins(30);
/// What was evicted so long ago is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// An orphan that may be evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) namespace: String,
    pub(crate) name: String,
    uid: String,
    controller: String,
    created: Timestamp,
}

/// What was evicted.
#[derive(Debug, Default)]
pub(crate) struct Evictions {
    /// By the controller's UID.
    of: HashMap<String, Evicted>,
    /// Namespace and name of the last one that was chosen: the next pass goes on after it, so that those who may not
    /// be evicted hold up no others.
    last: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug)]
struct Evicted {
    times: u32,
    last: Timestamp,
}

impl Evicted {
    /// Whether a pod that was created then came after it.
    fn is_before(self, created: Timestamp) -> bool {
        // Creation times have whole seconds.
        self.last.as_second() <= created.as_second()
    }

    fn rests(self, now: Timestamp) -> bool {
        let rest = doubled(AGAIN_AFTER, FORGOTTEN_AFTER, self.times);
        self.age(now) < rest
    }

    fn age(self, now: Timestamp) -> Duration {
        // One ahead is of a clock that was set back.
        Duration::try_from(now.duration_since(self.last)).unwrap_or(Duration::MAX)
    }
}

/// What came of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The pod ends.
    Evicted,
    /// A disruption budget keeps it for now.
    NotNow,
    /// It is gone, or is another one of its name.
    Gone,
}

/// Why a pod was not evicted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvictError {
    /// Another replica leads.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The API server refused or failed it.
    #[error(
        "cannot evict pod {pod}: {}; check that the operator may create pods/eviction (operator.orphans.evict in the chart's values)",
        InWords(.source)
    )]
    Evict {
        /// Namespace and name.
        pod: String,
        /// What the API server said.
        source: Error,
    },
}

impl Candidate {
    /// None for a pod in whose place nobody makes another.
    pub(crate) fn of(pod: &Seen) -> Option<Self> {
        Some(Self {
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
            controller: pod.remade_by.clone()?,
            created: pod.created()?,
        })
    }

    /// What its events are about.
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(Pod::api_version(&()).into_owned()),
            kind: Some(Pod::kind(&()).into_owned()),
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }

    fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Evictions {
    /// Those that are to be evicted now.
    pub(crate) fn choose(
        &mut self,
        mut candidates: Vec<Candidate>,
        now: Timestamp,
    ) -> Vec<Candidate> {
        self.of.retain(|_, own| own.age(now) < FORGOTTEN_AFTER);
        let in_vain = |own: &&Candidate| {
            let evicted = self.of.get(&own.controller);
            evicted.is_some_and(|evicted| evicted.is_before(own.created) && evicted.rests(now))
        };
        let resting = candidates.iter().filter(in_vain);
        let resting: HashSet<String> = resting.map(|own| own.controller.clone()).collect();
        candidates.sort_by(|one, other| one.key().cmp(&other.key()));
        if let Some((namespace, name)) = &self.last {
            let after = candidates.partition_point(|own| own.key() <= (namespace, name));
            candidates.rotate_left(after);
        }
        let mut chosen = HashSet::new();
        candidates.retain(|own| {
            !resting.contains(&own.controller) && chosen.insert(own.controller.clone())
        });
        candidates.truncate(AT_ONCE);
        if let Some(last) = candidates.last() {
            self.last = Some((last.namespace.clone(), last.name.clone()));
        }
        candidates
    }

    /// One was evicted.
    pub(crate) fn evicted(&mut self, candidate: &Candidate, now: Timestamp) {
        let times = self
            .of
            .get(&candidate.controller)
            .map_or(0, |own| own.times);
        let evicted = Evicted {
            times: times.saturating_add(1),
            last: now,
        };
        self.of.insert(candidate.controller.clone(), evicted);
    }
}

/// Evicts that very pod, as a drain of its node would: disruption budgets hold. `client` asks once, as the API server
/// says by 429 that one does not allow it.
///
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>
pub(crate) async fn evict(
    client: &Client,
    fence: &Fence,
    candidate: &Candidate,
) -> Result<Outcome, EvictError> {
    let Candidate {
        namespace,
        name,
        uid,
        ..
    } = candidate;
    let eviction = Eviction {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteOptions::default()
        }),
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = PostParams::default();
    let call = api.create_subresource::<_, Status>("eviction", name, &params, &eviction);
    match fence.run(call).await? {
        Ok(_) => Ok(Outcome::Evicted),
        Err(Error::Api(answer)) if answer.code == 429 => Ok(Outcome::NotNow),
        Err(Error::Api(answer)) if answer.code == 404 || answer.code == 409 => Ok(Outcome::Gone),
        Err(source) => Err(EvictError::Evict {
            pod: format!("{namespace}/{name}"),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{at, now},
        scripted::{api, refusal},
    };
    use serde_json::json;
    use tokio::time::Instant;

    fn candidate(name: &str, controller: &str, created: &str) -> Candidate {
        Candidate {
            namespace: "a".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            controller: controller.to_owned(),
            created: at(created),
        }
    }

    fn names(chosen: &[Candidate]) -> Vec<&str> {
        chosen.iter().map(|own| own.name.as_str()).collect()
    }

    #[test]
    fn one_pod_of_a_controller_goes_a_pass() {
        let mut evictions = Evictions::default();
        let pods = || {
            vec![
                candidate("x-1", "x", "03:00:00"),
                candidate("x-2", "x", "03:00:00"),
                candidate("y-1", "y", "03:00:00"),
            ]
        };
        let chosen = evictions.choose(pods(), now());
        assert_eq!(names(&chosen), ["x-1", "y-1"]);
        for own in &chosen {
            evictions.evicted(own, now());
        }
        // The next pods have their agents: they are no candidates.
        let left = vec![candidate("x-2", "x", "03:00:00")];
        assert_eq!(names(&evictions.choose(left, at("04:05:00"))), ["x-2"]);
    }

    #[test]
    fn a_controller_whose_next_pod_has_no_agent_either_rests_for_longer_each_time() {
        let mut evictions = Evictions::default();
        let old = candidate("x-1", "x", "03:00:00");
        evictions.evicted(&old, at("04:00:00.5"));
        let mut chosen = |created: &str, time: &str| {
            let pods = vec![old.clone(), candidate("x-2", "x", created)];
            let chosen = evictions.choose(pods, at(time));
            for own in &chosen {
                evictions.evicted(own, at(time));
            }
            chosen.len()
        };
        assert_eq!(chosen("04:00:00", "04:05:00"), 0);
        assert_eq!(chosen("04:00:00", "04:30:00"), 0);
        assert_eq!(chosen("04:00:00", "04:31:00"), 1);
        assert_eq!(chosen("04:31:00", "05:30:00"), 0);
        assert_eq!(chosen("04:31:00", "05:31:00"), 1);
        assert_eq!(chosen("05:31:00", "03:00:00"), 1, "the clock was set back");
    }

    #[test]
    fn those_that_stay_hold_up_no_others() {
        let mut evictions = Evictions::default();
        let pods: Vec<_> = (0..7)
            .map(|n| candidate(&format!("p-{n}"), &format!("c-{n}"), "03:00:00"))
            .collect();
        let mut pass = || {
            let chosen = evictions.choose(pods.clone(), now());
            names(&chosen).join(" ")
        };
        assert_eq!(pass(), "p-0 p-1 p-2 p-3 p-4");
        assert_eq!(pass(), "p-5 p-6 p-0 p-1 p-2");
        assert_eq!(pass(), "p-3 p-4 p-5 p-6 p-0");
    }

    #[test]
    fn a_pod_that_nobody_makes_again_is_no_candidate() {
        let pod = |owners| -> Seen {
            let metadata = json!({"name": "p", "namespace": "a", "uid": "u",
                "creationTimestamp": "2026-11-22T03:00:00Z", "ownerReferences": owners});
            serde_json::from_value(json!({"metadata": metadata})).unwrap()
        };
        assert_eq!(Candidate::of(&pod(json!([]))), None);
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r-1",
            "controller": true});
        let found = Candidate::of(&pod(json!([owner]))).unwrap();
        assert_eq!(
            (found.uid.as_str(), found.controller.as_str()),
            ("u", "r-1")
        );
    }

    #[tokio::test]
    async fn that_very_pod_is_evicted_and_budgets_hold() {
        let done = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
        for (answer, expected) in [
            ((201, done), Some(Outcome::Evicted)),
            (refusal(429, "TooManyRequests"), Some(Outcome::NotNow)),
            (refusal(404, "NotFound"), Some(Outcome::Gone)),
            (refusal(409, "Conflict"), Some(Outcome::Gone)),
            (refusal(403, "Forbidden"), None),
        ] {
            let (client, log) = api(move |_| answer.clone());
            let fence = Fence::new();
            fence.open(Instant::now(), crate::clock::now());
            let outcome = evict(&client, &fence, &candidate("p", "c", "03:00:00")).await;
            assert_eq!(outcome.ok(), expected);
            assert_eq!(log.lines(), ["POST /api/v1/namespaces/a/pods/p/eviction"]);
            let body = log.at(0).body;
            assert_eq!(body["deleteOptions"]["preconditions"]["uid"], "uid-p");
            assert_eq!(body["metadata"]["name"], "p");
        }
    }
}
