//! Asks the broker, for ever: one question at a time for all of the pod's grants that have their sessions from it.

mod client;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use alter_policy::backoff::doubled;
use alter_protocol::broker::{Asked, Question, Told};
use tokio::sync::mpsc;
use tokio::time::Instant;

use client::Client;
pub use client::{Address, Url};

use crate::metrics::Metrics;

/// Between two questions after one that was not answered.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// An answer without news comes after a minute; one that comes sooner is of a broker that ends.
const SOON: Duration = Duration::from_secs(1);

/// What came of a question.
#[derive(Debug)]
pub enum Heard {
    /// The broker's news, which may be none.
    Told(Vec<Told>),
    /// Why it did not answer.
    Unanswered(String),
}

/// Asks in a task of its own for as long as someone hears.
#[must_use]
pub fn follow(
    address: Address,
    grants: Vec<String>,
    metrics: std::sync::Arc<Metrics>,
) -> mpsc::Receiver<Heard> {
    let (tell, heard) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut client = Client::new(address);
        let mut known = grants.into_iter().map(|grant| (grant, None)).collect();
        let mut failures = 0;
        loop {
            let asked = Instant::now();
            let answer = client.ask(&question(&known)).await;
            metrics.broker_answered(answer.is_ok());
            let (heard, wait) = match answer {
                Ok(answer) => {
                    failures = 0;
                    let hurried = answer.grants.is_empty() && asked.elapsed() < SOON;
                    learn(&mut known, &answer.grants);
                    (Heard::Told(answer.grants), hurried.then_some(SOON))
                }
                Err(error) => {
                    failures += 1;
                    let wait = doubled(FIRST_RETRY, LAST_RETRY, failures);
                    (Heard::Unanswered(error.to_string()), Some(wait))
                }
            };
            if tell.send(heard).await.is_err() {
                return;
            }
            if let Some(wait) = wait {
                tokio::time::sleep(spread(wait)).await;
            }
        }
    });
    heard
}

/// What the agent knows of each grant, by the tag of what it was told.
type Known = BTreeMap<String, Option<String>>;

fn question(known: &Known) -> Question {
    let grants = known.iter().map(|(grant, tag)| Asked {
        grant: grant.clone(),
        known: tag.clone(),
    });
    Question {
        grants: grants.collect(),
    }
}

fn learn(known: &mut Known, told: &[Told]) {
    for told in told {
        if let Some(tag) = known.get_mut(&told.grant) {
            *tag = Some(told.tag.clone());
        }
    }
}

/// From half of the wait to all of it: agents that lost one broker do not come to the other together.
fn spread(wait: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness they do.
    let _ = getrandom::fill(&mut byte);
    wait.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_protocol::Revocation;
    use alter_protocol::broker::News;

    #[test]
    fn what_was_told_is_known_in_the_next_question_and_nothing_else() {
        let mut known: Known = [("a".to_owned(), None), ("b".to_owned(), None)].into();
        let told = |grant: &str| Told {
            grant: grant.to_owned(),
            tag: format!("r-{grant}"),
            news: News::Refused(Revocation {
                reason: String::new(),
                message: String::new(),
            }),
        };
        learn(&mut known, &[told("b"), told("of-nobody")]);
        let question = question(&known);
        let tags: Vec<_> = question
            .grants
            .iter()
            .map(|own| own.known.as_deref())
            .collect();
        assert_eq!(tags, [None, Some("r-b")]);
    }

    #[test]
    fn waits_are_spread_towards_earlier() {
        for _ in 0..100 {
            let wait = spread(LAST_RETRY);
            assert!(wait >= LAST_RETRY / 2 && wait <= LAST_RETRY, "{wait:?}");
        }
    }
}
