//! Events: what changed, told once where people look.

use crate::{event_budget::EventBudget, lease::Fence, metrics::Metrics};
use alter_crds::{
    answer::{self, InWords},
    condition::{OF_SESSIONS, READY, REFRESHED, REVOKED_AT_AWS, find, reason},
    names::OPERATOR,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use std::{collections::BTreeSet, sync::Arc};

/// What the operator was doing: a field that the API asks for.
const ACTION: &str = "Reconcile";

/// What nobody has to mend.
const ON_PURPOSE: [&str; 2] = [reason::SUSPENDED, reason::PAUSED];

/// Something that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Whether someone has to do something.
    pub warning: bool,
    /// A condition's reason.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What the change from the old conditions to the new ones is news of: each reason once, and none where
/// only a message changed.
pub(crate) fn news(old: &[Condition], new: &[Condition]) -> Vec<News> {
    let mut told = BTreeSet::new();
    let mut news = Vec::new();
    for type_ in OF_SESSIONS.into_iter().chain([REVOKED_AT_AWS]) {
        let (before, Some(after)) = (find(old, type_), find(new, type_)) else {
            continue;
        };
        let failed_before = before.is_some_and(|own| own.status == "False");
        let changed =
            before.is_none_or(|own| own.status != after.status || own.reason != after.reason);
        let worth_telling = match after.status.as_str() {
            "True" => {
                [READY, REVOKED_AT_AWS].contains(&type_) || (type_ == REFRESHED && failed_before)
            }
            "False" => true,
            _ => false,
        };
        // What keeps AWS from one thing says nothing of the other.
        let subject = (type_ == REVOKED_AT_AWS, after.reason.clone());
        if changed && worth_telling && told.insert(subject) {
            news.push(News {
                warning: after.status == "False" && !ON_PURPOSE.contains(&&*after.reason),
                reason: after.reason.clone(),
                message: after.message.clone(),
            });
        }
    }
    news
}

/// Publishes events.
///
/// kube's own recorder keeps every event of the last six minutes in memory, to count repetitions; as events
/// are of transitions alone, there are none, and with ten thousand grants its cache would outgrow the rest.
#[derive(Clone)]
pub(crate) struct Publisher {
    client: Client,
    fence: Fence,
    instance: String,
    budget: Arc<EventBudget>,
    metrics: Metrics,
}

impl Publisher {
    /// `instance` is the pod's name.
    pub(crate) fn new(client: Client, fence: Fence, instance: String, metrics: Metrics) -> Self {
        Self {
            client,
            fence,
            instance,
            budget: Arc::new(EventBudget::new()),
            metrics,
        }
    }

    /// Publishes what it can: an event that is lost changes nothing, as the condition says the same.
    pub(crate) async fn publish(&self, regarding: &ObjectReference, news: &[News], now: Timestamp) {
        // Events of cluster-scoped objects live in the default namespace.
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        for (index, one) in news.iter().enumerate() {
            if !self.budget.take(namespace, one.warning, now) {
                self.metrics.event_left_out();
                continue;
            }
            let event = event(regarding, one, &self.instance, (now, index));
            let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
            let params = PostParams::default();
            match self.fence.run(api.create(&params, &event)).await {
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(error)) if answer::is_terminating(&error) => {
                    tracing::debug!(namespace, "no event in a namespace that is being deleted");
                }
                Ok(Err(error)) => tracing::warn!(
                    error = %InWords(&error),
                    object = regarding.name,
                    namespace,
                    reason = one.reason,
                    "the event was not published"
                ),
            }
        }
    }
}

fn event(
    regarding: &ObjectReference,
    news: &News,
    instance: &str,
    (now, index): (Timestamp, usize),
) -> Event {
    let name = regarding.name.as_deref().unwrap_or(OPERATOR);
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}{index}", now.as_nanosecond())),
            namespace: Some(
                regarding
                    .namespace
                    .clone()
                    .unwrap_or_else(|| "default".to_owned()),
            ),
            ..ObjectMeta::default()
        },
        action: Some(ACTION.to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(cut(&news.message)),
        reason: Some(news.reason.clone()),
        regarding: Some(regarding.clone()),
        reporting_controller: Some(OPERATOR.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(if news.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}

/// The API server takes notes of at most 1 kB.
fn cut(message: &str) -> String {
    const LIMIT: usize = 1_000;
    if message.len() <= LIMIT {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(LIMIT);
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_crds::condition::IDENTITY_READY;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: format!("{type_} {reason}"),
            last_transition_time: Time(crate::fixtures::now()),
            observed_generation: None,
        }
    }

    fn told(old: &[Condition], new: &[Condition]) -> Vec<(bool, String)> {
        let all = news(old, new).into_iter();
        all.map(|one| (one.warning, one.message)).collect()
    }

    #[test]
    fn the_first_session_is_one_event() {
        let new = [
            condition(READY, "True", "Issued"),
            condition(REFRESHED, "True", "Issued"),
            condition(IDENTITY_READY, "True", "Allowed"),
        ];
        assert_eq!(told(&[], &new), [(false, "Ready Issued".to_owned())]);
        assert_eq!(told(&new, &new), [], "a renewal is none");
    }

    #[test]
    fn one_reason_is_told_once_and_again_when_it_changes() {
        let denied = |type_| condition(type_, "False", "NotAllowed");
        let new = [denied(READY), denied(REFRESHED), denied(IDENTITY_READY)];
        assert_eq!(told(&[], &new), [(true, "Ready NotAllowed".to_owned())]);
        let other = [condition(READY, "False", "IdentityNotFound")];
        assert_eq!(
            told(&new, &other),
            [(true, "Ready IdentityNotFound".to_owned())]
        );
    }

    #[test]
    fn a_renewal_that_fails_and_one_that_works_again_are_told() {
        let fine = [
            condition(READY, "True", "Issued"),
            condition(REFRESHED, "True", "Issued"),
        ];
        let failing = [
            condition(READY, "True", "Issued"),
            condition(REFRESHED, "False", "Throttled"),
        ];
        assert_eq!(
            told(&fine, &failing),
            [(true, "Refreshed Throttled".to_owned())]
        );
        assert_eq!(told(&failing, &failing), []);
        assert_eq!(
            told(&failing, &fine),
            [(false, "Refreshed Issued".to_owned())]
        );
    }

    #[test]
    fn what_came_of_a_revocation_is_told_beside_all_else() {
        let denied = [
            condition(REFRESHED, "False", "AccessDenied"),
            condition(REVOKED_AT_AWS, "False", "AccessDenied"),
        ];
        let both = ["Refreshed AccessDenied", "RevokedAtAws AccessDenied"];
        assert_eq!(told(&[], &denied), both.map(|own| (true, own.to_owned())));
        let underway = [condition(REVOKED_AT_AWS, "Unknown", "Pending")];
        let done = [condition(REVOKED_AT_AWS, "True", "DeniedByPolicy")];
        assert_eq!(told(&[], &underway), []);
        let text = "RevokedAtAws DeniedByPolicy".to_owned();
        assert_eq!(told(&underway, &done), [(false, text)]);
    }

    #[test]
    fn suspending_is_no_warning_and_waiting_is_no_news() {
        let suspended = [condition(READY, "False", "Suspended")];
        assert_eq!(
            told(&[], &suspended),
            [(false, "Ready Suspended".to_owned())]
        );
        assert_eq!(told(&[], &[condition(READY, "Unknown", "Pending")]), []);
    }

    #[test]
    fn a_pause_is_told_once_its_session_has_ended_and_is_no_warning() {
        let renewed = [
            condition(READY, "True", "Issued"),
            condition(REFRESHED, "True", "Issued"),
        ];
        let served = [
            condition(READY, "True", "Issued"),
            condition(REFRESHED, "Unknown", "Paused"),
        ];
        let ended = [condition(READY, "False", "Paused"), served[1].clone()];
        assert_eq!(told(&renewed, &served), []);
        assert_eq!(told(&served, &ended), [(false, "Ready Paused".to_owned())]);
        assert_eq!(told(&ended, &renewed), [(false, "Ready Issued".to_owned())]);
    }

    #[test]
    fn long_notes_are_cut_between_characters() {
        let long = "ä".repeat(800);
        let short = cut(&long);
        assert!(short.len() <= 1_024 && short.ends_with('…'));
        assert_eq!(cut("short"), "short");
    }
}
