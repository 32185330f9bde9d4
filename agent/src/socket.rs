//! The unix socket that the helper and the startup probe ask; see [`alter_protocol::pod::socket`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alter_protocol::pod::socket::{ERROR, OK, READY, SESSION};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::answer::{Answers, Form, NoSession};
use crate::connections::{Connections, Shutdown};
use crate::layout::{self, WriteError};
use crate::metrics::{Metrics, Outcome};
use crate::store::Board;

/// The longest line that is read: a grant's name has at most 50 characters.
const LINE: usize = 128;
/// How long one caller may take in all. Above the helper's own limit, below any patience of an SDK.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens at `path` for callers of any user, in the place of a socket that a former agent left.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, WriteError> {
    layout::replace(path, 0o666, |new| UnixListener::bind(new))
}

/// Answers callers until `shutdown`.
pub(crate) async fn serve(
    listener: UnixListener,
    board: Board,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) {
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    Connections::new()
        .serve(shutdown, accept, |stream, place| {
            let board = board.clone();
            let metrics = Arc::clone(&metrics);
            tokio::spawn(async move {
                // A caller that is slow, or gone before its answer, is no concern of anyone else's.
                let _ = tokio::time::timeout(PATIENCE, converse(stream, &board, &metrics)).await;
                drop(place);
            });
        })
        .await;
}

async fn converse(mut stream: UnixStream, board: &Board, metrics: &Metrics) -> std::io::Result<()> {
    let mut buffer = [0; LINE];
    let mut length = 0;
    let line = loop {
        if let Some(end) = buffer[..length].iter().position(|byte| *byte == b'\n') {
            break &buffer[..end];
        }
        let room = &mut buffer[length..];
        let read = if room.is_empty() {
            0
        } else {
            stream.read(room).await?
        };
        if read == 0 {
            // Its line is too long, or ended without a newline.
            break &[];
        }
        length += read;
    };
    let answers = Arc::clone(&board.borrow());
    let (answer, outcome) = answer(line, &answers, crate::clock::now());
    if let Some(outcome) = outcome {
        metrics.process.count(outcome);
    }
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

/// The answer to one line, and how a request for a session ended.
fn answer(line: &[u8], answers: &Answers, now: Timestamp) -> (Bytes, Option<Outcome>) {
    let Ok(line) = str::from_utf8(line) else {
        return (not_understood(), Some(Outcome::Invalid));
    };
    if line == READY {
        let answer = match answers.not_ready() {
            None => format!("{OK}every grant of the pod was served\n").into(),
            Some(why) => error(&why),
        };
        return (answer, None);
    }
    let Some(grant) = line.strip_prefix(SESSION) else {
        return (not_understood(), Some(Outcome::Invalid));
    };
    let Some(found) = answers.find(grant) else {
        return (error(&answers.unknown(grant)), Some(Outcome::Unknown));
    };
    match found.document(Form::Process, now) {
        Ok(document) => (document, Some(Outcome::Served)),
        Err(NoSession::Waiting(why)) => (error(&why), Some(Outcome::Waiting)),
        Err(NoSession::Refused(why)) => (error(&why), Some(Outcome::Refused)),
    }
}

fn error(line: &str) -> Bytes {
    format!("{ERROR}{line}\n").into()
}

fn not_understood() -> Bytes {
    error(
        "the agent understands `session <grant>` and `ready`, each with a newline at its end: use the helper of the same image",
    )
}

/// Asks the agent at `path` whether the app may start: one line, either way.
pub fn ask_ready(path: &Path) -> Result<String, String> {
    use std::io::{Read as _, Write as _};

    let talk = || {
        let mut stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{READY}\n").as_bytes())?;
        let mut answer = String::new();
        stream.take(64 * 1024).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer: String = talk().map_err(|error: std::io::Error| {
        format!(
            "the agent does not answer yet at {}: {error}",
            path.display()
        )
    })?;
    let text = answer.strip_suffix('\n').unwrap_or_default();
    match (text.strip_prefix(OK), text.strip_prefix(ERROR)) {
        (Some(line), _) => Ok(line.to_owned()),
        (None, Some(line)) => Err(line.to_owned()),
        (None, None) => Err("the agent ended before its answer did".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::state::State;

    fn answers() -> Answers {
        Answers {
            grants: vec![Answer::new(
                "bedrock",
                State::START,
                jiff::Timestamp::UNIX_EPOCH,
            )],
            ready: false,
        }
    }

    fn ask(line: &[u8]) -> (String, Option<Outcome>) {
        let (answer, outcome) = answer(line, &answers(), Timestamp::UNIX_EPOCH);
        (String::from_utf8(answer.to_vec()).unwrap(), outcome)
    }

    #[test]
    fn every_answer_is_two_whole_lines() {
        for line in [
            &b"session bedrock"[..],
            b"session other",
            b"session new\rline",
            b"ready",
            b"",
            b"\xff",
            b"SESSION bedrock",
        ] {
            let (answer, _) = ask(line);
            assert_eq!(answer.matches('\n').count(), 2, "{answer:?}");
            assert!(
                answer.starts_with(ERROR) && answer.ends_with('\n'),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn outcomes_are_counted_by_what_was_asked() {
        assert_eq!(ask(b"session bedrock").1, Some(Outcome::Waiting));
        assert_eq!(ask(b"session other").1, Some(Outcome::Unknown));
        assert_eq!(ask(b"ready").1, None);
        assert_eq!(ask(b"who").1, Some(Outcome::Invalid));
    }

    #[test]
    fn no_agent_is_one_line() {
        let error = ask_ready(Path::new("/nowhere/agent.sock")).unwrap_err();
        assert!(error.contains("does not answer yet at /nowhere/agent.sock"));
    }
}
