//! The long poll: holds a question until there is something that the pod does not know.

use crate::{
    bells::Bell,
    caller::Caller,
    clock,
    cluster::Cluster,
    decide::{Input, Verdict, decide, revocation},
    sessions::{Held, Sessions, Source, Wanted},
    tag,
};
use alter_crds::{condition::reason, names::grant::REVOKE_BEFORE};
use alter_issuer::lookup::Labels;
use alter_policy::revoke;
use alter_protocol::broker::{Answer, Asked, Issued, News, PATIENCE, Question, Told};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use kube::ResourceExt;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What questions are answered with.
pub struct Desk<S> {
    /// What is known of the cluster.
    pub cluster: Cluster,
    /// Sessions at hand.
    pub sessions: Sessions<S>,
    /// What the installation calls the cluster.
    pub name: String,
}

/// Until when a question is held.
struct Hold {
    deadline: Instant,
    ending: CancellationToken,
}

impl Hold {
    async fn is_over(&self) {
        tokio::select! {
            () = self.ending.cancelled() => {}
            () = tokio::time::sleep_until(self.deadline) => {}
        }
    }
}

impl<S: Source> Desk<S> {
    /// Answers a pod's question: at once where there is news, else when there is, or at the end of the agent's
    /// patience, or when the connection is to end.
    pub(crate) async fn answer(
        &self,
        caller: &Caller,
        question: &Question,
        ending: CancellationToken,
    ) -> Answer {
        let hold = Hold {
            deadline: Instant::now() + PATIENCE,
            ending,
        };
        self.cluster.meet(caller).await;
        let mut all: FuturesUnordered<_> = question
            .grants
            .iter()
            .map(|asked| self.news(caller, asked, &hold))
            .collect();
        let mut grants = Vec::new();
        while grants.is_empty()
            && let Some(told) = all.next().await
        {
            grants.extend(told);
        }
        // What else is news by now comes along.
        while let Some(Some(told)) = all.next().now_or_never() {
            grants.extend(told);
        }
        Answer { grants }
    }

    /// What is new of one grant; none where nothing is.
    async fn news(&self, caller: &Caller, asked: &Asked, hold: &Hold) -> Option<Told> {
        let listener = self.cluster.bells.listen(vec![
            Bell::Pod(caller.uid.clone()),
            Bell::Namespace(caller.namespace.clone()),
            Bell::Grant(caller.namespace.clone(), asked.grant.clone()),
        ]);
        let known = asked.known.as_deref();
        loop {
            let found = tokio::select! {
                // Whoever knows something learns nothing from this.
                () = hold.is_over(), if known.is_some() => return None,
                () = hold.is_over() => Found::new(in_line(), None),
                found = self.look(caller, &asked.grant) => found,
                // A refusal waits for no answer of AWS.
                () = listener.rung() => continue,
            };
            let again = found.again;
            let news = found.for_who_knows(tag::end_of_session(known));
            let tag = tag::of(&news);
            let is_new = known != Some(tag.as_str());
            // What ends by itself need not be told to who has a session, but for when it does not end for long.
            let has_session = tag::end_of_session(known).is_some();
            let can_wait = matches!(news, News::Waiting(_)) && has_session;
            let told = is_new.then(|| Told {
                grant: asked.grant.clone(),
                tag,
                news,
            });
            if told.is_some() && !can_wait {
                return told;
            }
            tokio::select! {
                () = hold.is_over() => return told,
                () = listener.rung() => {}
                () = at(again) => {}
            }
        }
    }

    /// How a grant stands for the pod now.
    async fn look(&self, caller: &Caller, name: &str) -> Found {
        let mut sought = match self.seek(caller, name) {
            Ok(sought) => sought,
            Err(found) => return found,
        };
        loop {
            let held = self.sessions.get(&sought.wanted).await;
            // AWS takes its time: what was refused or dropped meanwhile is not handed out.
            let still = match self.seek(caller, name) {
                Ok(sought) => sought,
                Err(found) => return found,
            };
            if still.wanted.is_as(&sought.wanted) {
                return still.found(held);
            }
            sought = still;
        }
    }

    /// The session that a pod may have of a grant; or how the grant stands for it, where it may have none.
    fn seek(&self, caller: &Caller, name: &str) -> Result<Sought, Found> {
        let pod = self.cluster.pod(caller);
        let grant = self.cluster.grant(&caller.namespace, name);
        let decoded = grant.as_ref().map(|own| own.0.as_ref());
        let identity = match decoded {
            Some(Ok(grant)) => self.cluster.identity(&grant.spec.identity),
            _ => None,
        };
        let namespace = self.cluster.namespace(&caller.namespace);
        let verdict = decide(&Input {
            caller,
            pod: pod.as_ref().map(|own| &own.metadata),
            name,
            grant: decoded.map(|own| own.map_err(|error| error.error.as_str())),
            identity: identity
                .as_ref()
                .map(|own| own.0.as_ref().map_err(|error| error.error.as_str())),
            labels: match &namespace {
                Some(namespace) => Labels::Seen(namespace.labels()),
                None if self.cluster.knows_labels() => Labels::NotSeenYet,
                None => Labels::Hidden,
            },
            namespace_leaves: namespace
                .as_ref()
                .is_some_and(|own| own.metadata.deletion_timestamp.is_some()),
            cluster: &self.name,
            now: clock::now(),
        });
        let leaves = pod.and_then(|own| Some(own.metadata.deletion_timestamp.as_ref()?.0));
        let digest = match verdict {
            Verdict::Refused(why) => return Err(Found::new(News::Refused(why), None)),
            Verdict::Waiting(why) => return Err(Found::new(News::Waiting(why), leaves)),
            Verdict::Session(digest) => digest,
        };
        let (Some(Ok(grant)), Some(Ok(identity))) =
            (decoded, identity.as_ref().map(|own| own.0.as_ref()))
        else {
            // A verdict of a session is over both.
            return Err(Found::new(in_line(), leaves));
        };
        let wanted = Wanted {
            identity: Arc::new(identity.clone()),
            grant: Arc::new(grant.clone()),
            pod: caller.pod.clone(),
            service_account: caller.service_account.clone(),
            cluster: self.name.clone(),
            digest,
            // One that cannot be read drops nothing; the grant's status says so.
            cut: grant.revoke_before().ok().flatten(),
        };
        Ok(Sought { wanted, leaves })
    }
}

/// A session that a pod may have.
struct Sought {
    wanted: Wanted,
    /// When the pod's grace is over, where it terminates.
    leaves: Option<Timestamp>,
}

impl Sought {
    /// How the grant stands, where that is what there is.
    fn found(&self, held: Held) -> Found {
        let (grant, leaves) = (&self.wanted.grant, self.leaves);
        let sooner = |at: Timestamp| Some(leaves.map_or(at, |leaves| leaves.min(at)));
        match held {
            Held::Session { session, again } => {
                let document = grant.document();
                let issued = Box::new(Issued { document, session });
                Found::new(News::Session(issued), sooner(again))
            }
            Held::Nothing(failure) => {
                let why = revocation(failure.reason, failure.message);
                let past = self.wanted.cut.filter(|cut| *cut <= clock::now());
                Found {
                    dropped_to: past.and_then(|cut| {
                        revoke::earliest(cut)
                            .checked_add(grant.spec.duration())
                            .ok()
                    }),
                    ..Found::new(News::Waiting(why), sooner(failure.retry_at))
                }
            }
        }
    }
}

/// How a grant stands for a pod.
struct Found {
    news: News,
    /// When that is to be looked at again, if nothing changes.
    again: Option<Timestamp>,
    /// Sessions that end before then are dropped, though there is no new one.
    dropped_to: Option<Timestamp>,
}

impl Found {
    const fn new(news: News, again: Option<Timestamp>) -> Self {
        Self {
            news,
            again,
            dropped_to: None,
        }
    }

    /// What an agent is to be told that knows a session of that end.
    fn for_who_knows(self, end: Option<Timestamp>) -> News {
        match (self.news, self.dropped_to, end) {
            (News::Waiting(why), Some(to), Some(end)) if end < to => {
                let message = format!(
                    "sessions from before the time in annotation {REVOKE_BEFORE} are dropped, and there is no new one: {}",
                    why.message
                );
                News::Refused(revocation(reason::REVOKED, message))
            }
            (news, ..) => news,
        }
    }
}

fn in_line() -> News {
    let message = "many pods ask for sessions: this one waits for its turn";
    News::Waiting(revocation(reason::PENDING, message.to_owned()))
}

/// Returns then; never where there is no such time.
async fn at(time: Option<Timestamp>) {
    match time {
        Some(time) => tokio::time::sleep(clock::until(time, clock::now())).await,
        None => std::future::pending().await,
    }
}
