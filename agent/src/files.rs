//! Reads the files of a grant's mounted Secret, and tells when the kubelet has swapped them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alter_protocol::pod::{CREDENTIALS_JSON, GRANT_JSON};
use alter_protocol::session::SecretText;
use futures::{FutureExt as _, StreamExt as _};
use inotify::{EventStream, Inotify, WatchMask};

use crate::state::{Files, Unread};

/// The link that the kubelet moves from one write of a Secret to the next.
const CURRENT: &str = "..data";
/// A Secret holds at most 1 MiB; no file that Alter writes comes near this.
const LIMIT: u64 = 64 * 1024;

/// Reads both files of the Secret mounted at `folder`, out of one and the same write.
#[must_use]
pub fn read(folder: &Path) -> Files {
    let mut current = resolve(folder);
    loop {
        let files = Files {
            grant: read_file(&current.join(GRANT_JSON)),
            credentials: read_file(&current.join(CREDENTIALS_JSON)),
        };
        let since = resolve(folder);
        if since == current {
            return files;
        }
        current = since;
    }
}

fn resolve(folder: &Path) -> PathBuf {
    fs::read_link(folder.join(CURRENT)).map_or_else(|_| folder.to_owned(), |to| folder.join(to))
}

fn read_file(path: &Path) -> Result<SecretText, Unread> {
    let mut text = SecretText::default();
    let read = File::open(path).and_then(|file| {
        // Room for all of it at once: a text that grows leaves copies of secrets behind.
        text.reserve_exact(usize::try_from(file.metadata()?.len().min(LIMIT)).unwrap_or(0) + 1);
        file.take(LIMIT).read_to_string(&mut text)
    });
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unread::Missing),
        Err(error) => Err(Unread::Failed(error.to_string())),
    }
}

type Events = EventStream<[u8; 4096]>;

/// Tells when files under some folders may have changed.
pub struct Changes {
    events: Option<Events>,
    poll: Duration,
}

impl Changes {
    /// Watches `folders`. The kubelet swaps a link in the folder, so the folder is watched, not the files.
    ///
    /// `poll` is how late a change is seen at most where inotify does not work, as on a node that has run
    /// out of its instances. Needs a Tokio runtime.
    #[must_use]
    pub fn watch(folders: &[PathBuf], poll: Duration) -> Self {
        let events = start(folders)
            .inspect_err(|error| {
                tracing::warn!(%error, ?poll, "inotify does not work here: changes are seen by polling");
            })
            .ok();
        Self { events, poll }
    }

    /// Returns at the next change, and at the next poll at the latest.
    pub async fn next(&mut self) {
        let poll = tokio::time::sleep(self.poll);
        let Some(events) = &mut self.events else {
            return poll.await;
        };
        let mut event = tokio::select! {
            () = poll => return,
            event = events.next() => event,
        };
        // What changed does not matter, since everything is read again: so take all that is there.
        while let Some(Ok(_)) = event {
            match events.next().now_or_never() {
                Some(further) => event = further,
                None => return,
            }
        }
        tracing::warn!(poll = ?self.poll, "inotify has ended: changes are seen by polling");
        self.events = None;
    }
}

fn start(folders: &[PathBuf]) -> io::Result<Events> {
    let inotify = Inotify::init()?;
    for folder in folders {
        inotify.watches().add(
            folder,
            WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE | WatchMask::DELETE,
        )?;
    }
    inotify.into_event_stream([0; 4096])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// As the kubelet does: a new folder, a link beside, a rename.
    fn swap(folder: &Path, name: &str, grant: &str) {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(GRANT_JSON), grant).unwrap();
        symlink(name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join(CURRENT)).unwrap();
    }

    #[test]
    fn reads_through_the_link() {
        let folder = tempfile::tempdir().unwrap();
        swap(folder.path(), "..1", "one");
        assert_eq!(*read(folder.path()).grant.unwrap(), "one");
        swap(folder.path(), "..2", "two");
        let files = read(folder.path());
        assert_eq!(*files.grant.unwrap(), "two");
        assert_eq!(files.credentials.unwrap_err(), Unread::Missing);
    }

    #[test]
    fn says_why_a_file_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(GRANT_JSON)).unwrap();
        fs::write(folder.path().join(CREDENTIALS_JSON), [0xff]).unwrap();
        let files = read(folder.path());
        assert!(matches!(files.grant, Err(Unread::Failed(reason)) if reason.contains("directory")));
        assert!(
            matches!(files.credentials, Err(Unread::Failed(reason)) if reason.contains("UTF-8"))
        );
    }

    #[tokio::test]
    async fn a_swap_is_told_long_before_the_poll() {
        let folder = tempfile::tempdir().unwrap();
        let mut changes = Changes::watch(&[folder.path().to_owned()], Duration::MAX);
        swap(folder.path(), "..1", "one");
        changes.next().await;
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_watched_is_polled() {
        let mut changes = Changes::watch(&[PathBuf::from("/nowhere")], Duration::from_millis(1));
        changes.next().await;
    }
}
