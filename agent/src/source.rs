//! Where a grant's session comes from.

use std::path::{Path, PathBuf};

use alter_protocol::broker::News;

use crate::files;
use crate::state::{Found, Refusal, Unread, Wait, granted};

/// Where a grant's session comes from.
pub(crate) enum Source {
    /// Its Secret, mounted here.
    Secret(PathBuf),
    /// The broker.
    Broker(Word),
    /// One of both: the pod was admitted before its grant was there to say which. The Secret counts once it is.
    Either(PathBuf, Word),
}

/// What the broker said last.
#[derive(Default)]
pub(crate) struct Word {
    told: Option<Found>,
    /// Why it has said nothing since.
    silent: Option<String>,
}

impl Source {
    /// Of a grant whose Secret would be mounted at `folder`.
    pub(crate) fn new(folder: PathBuf, from_broker: bool) -> Self {
        match (from_broker, folder.exists()) {
            (false, _) => Self::Secret(folder),
            (true, false) => Self::Broker(Word::default()),
            (true, true) => Self::Either(folder, Word::default()),
        }
    }

    /// The Secret's folder, to be watched.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Secret(folder) | Self::Either(folder, _) => Some(folder),
            Self::Broker(_) => None,
        }
    }

    /// What it says now.
    pub(crate) fn find(&self) -> Found {
        match self {
            Self::Secret(folder) => files::read(folder).found(),
            Self::Broker(word) => word.found(),
            Self::Either(folder, word) => match files::read(folder) {
                files if matches!(files.grant, Err(Unread::Missing)) => word.found(),
                files => files.found(),
            },
        }
    }

    /// The broker answered, with news of this grant or without.
    pub(crate) fn told(&mut self, news: Option<News>) {
        if let Self::Broker(word) | Self::Either(_, word) = self {
            word.silent = None;
            word.told = news.map(said).or(word.told.take());
        }
    }

    /// The broker did not answer.
    pub(crate) fn unanswered(&mut self, why: &str) {
        if let Self::Broker(word) | Self::Either(_, word) = self {
            word.silent = Some(why.to_owned());
        }
    }
}

impl Word {
    fn found(&self) -> Found {
        match (&self.told, &self.silent) {
            (_, Some(why)) => Found::Silent(Wait::Unanswered(why.clone())),
            (Some(told), None) => told.clone(),
            (None, None) => Found::Silent(Wait::Unasked),
        }
    }
}

fn said(news: News) -> Found {
    match news {
        News::Session(issued) => granted(issued.document, Ok(issued.session)),
        News::Refused(why) => Found::Refused(Refusal::Revoked {
            reason: why.reason,
            message: why.message,
        }),
        News::Waiting(why) => Found::Waiting(Wait::Told {
            reason: why.reason,
            message: why.message,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_protocol::Revocation;
    use std::fs;

    fn refused() -> News {
        News::Refused(Revocation {
            reason: "Suspended".to_owned(),
            message: "spec.suspend is true".to_owned(),
        })
    }

    fn broker() -> Source {
        Source::new(PathBuf::from("/nowhere"), true)
    }

    #[test]
    fn the_brokers_word_holds_until_there_is_another() {
        let mut source = broker();
        assert_eq!(source.find(), Found::Silent(Wait::Unasked));
        source.told(Some(refused()));
        assert!(matches!(source.find(), Found::Refused(_)));
        source.told(None);
        assert!(matches!(source.find(), Found::Refused(_)));
        let waiting = News::Waiting(Revocation {
            reason: "Throttled".to_owned(),
            message: "slow down".to_owned(),
        });
        source.told(Some(waiting));
        assert!(matches!(source.find(), Found::Waiting(_)));
    }

    #[test]
    fn silence_is_told_and_ends_with_any_answer() {
        let mut source = broker();
        source.told(Some(refused()));
        source.unanswered("connection refused");
        let why = Wait::Unanswered("connection refused".to_owned());
        assert_eq!(source.find(), Found::Silent(why));
        source.told(None);
        assert!(matches!(source.find(), Found::Refused(_)));
    }

    #[test]
    fn of_both_the_secret_counts_once_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = Source::new(folder.path().to_owned(), true);
        source.told(Some(refused()));
        assert!(matches!(source.find(), Found::Refused(_)));
        fs::write(folder.path().join("grant.json"), "{").unwrap();
        assert!(matches!(source.find(), Found::Silent(Wait::Garbled(_))));
        assert_eq!(source.folder(), Some(folder.path()));
    }
}
