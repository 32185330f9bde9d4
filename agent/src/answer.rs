//! What the agent answers for each grant, rendered once when its state changes: an answer costs a look-up.

use alter_protocol::pod::socket;
use alter_protocol::session::SecretText;
use bytes::Bytes;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::state::State;

/// The answers of all grants of the pod, as of the last change.
#[derive(Default)]
pub struct Answers {
    /// In the order of the annotation.
    pub grants: Vec<Answer>,
    /// Whether every grant was served once, in this agent's life or a former one's.
    pub ready: bool,
}

/// The answers for one grant. Has no `Debug`: the rendered documents would show their secrets.
pub struct Answer {
    /// The grant's name.
    pub grant: String,
    state: State,
    explanation: String,
    process: Bytes,
    container: Bytes,
    imds: Bytes,
}

/// Which document is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// The socket's answer with the `credential_process` document.
    Process,
    /// The body of the container credentials endpoint.
    Container,
    /// The role's document of instance metadata.
    Imds,
}

/// Why there is no session; the text is one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSession {
    /// None for now.
    Waiting(String),
    /// None until someone changes the grant or the pod.
    Refused(String),
}

impl Answer {
    /// Renders the answers of `grant` in `state`, which it came to at `now`.
    #[must_use]
    pub fn new(grant: &str, state: State, now: Timestamp) -> Self {
        let (process, container, imds) = match &state {
            State::Serving { session, .. } => (
                secret(framed(&session.to_process_json())),
                secret(session.to_container_json()),
                secret(session.to_imds_json(now)),
            ),
            State::Waiting { .. } | State::Refused(_) => Default::default(),
        };
        Self {
            grant: grant.to_owned(),
            explanation: state.explain(grant),
            state,
            process,
            container,
            imds,
        }
    }

    /// What was decided last.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The session's document, if it is valid at `now`.
    pub fn document(&self, form: Form, now: Timestamp) -> Result<Bytes, NoSession> {
        match &self.state {
            State::Serving { session, .. } if session.is_valid(now) => Ok(match form {
                Form::Process => self.process.clone(),
                Form::Container => self.container.clone(),
                Form::Imds => self.imds.clone(),
            }),
            State::Serving { session, .. } => {
                let over = State::over(session.expiration);
                Err(NoSession::Waiting(over.explain(&self.grant)))
            }
            State::Waiting { .. } => Err(NoSession::Waiting(self.explanation.clone())),
            State::Refused(_) => Err(NoSession::Refused(self.explanation.clone())),
        }
    }
}

impl Answers {
    /// The answer for the grant of this name, if the pod has it.
    #[must_use]
    pub fn find(&self, grant: &str) -> Option<&Answer> {
        self.grants.iter().find(|answer| answer.grant == grant)
    }

    /// One line that names the grants of the pod, for a caller who asked for another.
    #[must_use]
    pub fn unknown(&self, grant: &str) -> String {
        let names: Vec<_> = self.grants.iter().map(|answer| &*answer.grant).collect();
        format!(
            "this pod has no grant {grant:?}, only {}: add it to the pod's annotation alter.dev/grant",
            names.join(", ")
        )
    }

    /// Why the app may not start yet, in one line; `None` once it may.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        let waiting = || {
            let lines: Vec<_> = self
                .grants
                .iter()
                .filter(|answer| !answer.explanation.is_empty())
                .map(|answer| &*answer.explanation)
                .collect();
            lines.join("; ")
        };
        (!self.ready).then(waiting)
    }
}

fn framed(document: &str) -> SecretText {
    let mut answer = Zeroizing::new(String::with_capacity(socket::OK.len() + document.len() + 1));
    for part in [socket::OK, document, "\n"] {
        answer.push_str(part);
    }
    answer
}

/// Zeroed when the last answer that holds it is gone.
fn secret(text: SecretText) -> Bytes {
    Bytes::from_owner(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Refusal;
    use alter_protocol::Session;

    fn session() -> Session {
        Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("s3cr3t".to_owned()),
            session_token: Zeroizing::new("tok3n".to_owned()),
            expiration: time("2026-11-22T05:00:00Z"),
        }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn serving(grant: &str) -> Answer {
        Answer::new(
            grant,
            State::Serving {
                session: session(),
                region: "us-east-1".to_owned(),
                kept: None,
            },
            Timestamp::UNIX_EPOCH,
        )
    }

    fn refused(grant: &str) -> Answer {
        Answer::new(
            grant,
            State::Refused(Refusal::OtherGrant("x".to_owned())),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_process_answer_is_two_whole_lines() {
        let answer = serving("a");
        let bytes = answer
            .document(Form::Process, time("2026-11-22T04:59:59Z"))
            .unwrap();
        let document = session().to_process_json();
        assert_eq!(bytes, format!("ok\n{}\n", *document));
        assert!(!document.contains('\n'));
    }

    #[test]
    fn the_container_answer_is_the_document_alone() {
        let bytes = serving("a")
            .document(Form::Container, Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(bytes, session().to_container_json().as_bytes());
    }

    #[test]
    fn an_expired_session_is_not_served_however_late_the_files_are_looked_at() {
        let error = serving("a")
            .document(Form::Process, time("2026-11-22T05:00:00Z"))
            .unwrap_err();
        assert!(matches!(error, NoSession::Waiting(line)
            if line.starts_with("grant a: its session expired at 2026-11-22T05:00:00Z")));
    }

    #[test]
    fn refused_and_waiting_are_told_apart() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(matches!(
            refused("a").document(Form::Container, now),
            Err(NoSession::Refused(_))
        ));
        assert!(matches!(
            Answer::new("a", State::START, now).document(Form::Container, now),
            Err(NoSession::Waiting(_))
        ));
    }

    #[test]
    fn not_ready_names_each_grant_that_is_waited_for() {
        let mut answers = Answers {
            grants: vec![
                serving("a"),
                refused("b"),
                Answer::new("c", State::START, Timestamp::UNIX_EPOCH),
            ],
            ready: false,
        };
        let line = answers.not_ready().unwrap();
        assert!(!line.contains("grant a:"), "{line}");
        assert!(line.contains("grant b: the Secret mounted"), "{line}");
        assert!(
            line.contains("grant c: its Secret has no grant.json"),
            "{line}"
        );
        answers.ready = true;
        assert_eq!(answers.not_ready(), None);
    }

    #[test]
    fn an_unknown_grant_is_told_which_there_are() {
        let answers = Answers {
            grants: vec![serving("a"), serving("b")],
            ready: true,
        };
        assert!(answers.find("c").is_none());
        assert!(
            answers
                .unknown("c")
                .starts_with("this pod has no grant \"c\", only a, b:")
        );
    }
}
