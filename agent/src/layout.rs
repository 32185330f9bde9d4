//! Where the agent's files stand in the shared volume, and how they get there.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use alter_protocol::pod;

/// A file could not be put into the shared volume.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; the agent needs the shared volume mounted read-write, with room for 4 MiB", path = path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// The shared volume's places, all under one folder.
#[derive(Clone, Debug)]
pub struct Layout {
    shared: PathBuf,
}

impl Layout {
    /// The layout of [`alter_protocol::pod`], moved to the folder `shared`.
    #[must_use]
    pub fn new(shared: PathBuf) -> Self {
        Self { shared }
    }

    /// The agent's unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.place(pod::SOCKET)
    }

    /// The helper.
    #[must_use]
    pub fn helper(&self) -> PathBuf {
        self.place(pod::HELPER)
    }

    /// The SDKs' config file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.place(pod::CONFIG_FILE)
    }

    /// The loopback endpoint's token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.place(pod::TOKEN_FILE)
    }

    /// The mark that every grant was served once.
    #[must_use]
    pub fn ready_file(&self) -> PathBuf {
        self.place(pod::READY_FILE)
    }

    fn place(&self, path: &str) -> PathBuf {
        let below = path.strip_prefix(pod::SHARED_DIR).unwrap_or(path);
        self.shared.join(below.trim_start_matches('/'))
    }
}

/// Writes a file whole or not at all, with this mode whatever the umask: readers see the old or the new one.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), WriteError> {
    replace(path, mode, |new| {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(new)?
            .write_all(content)
    })
}

/// Copies a file in the same way; the old one may be executing.
pub fn install(from: &Path, to: &Path, mode: u32) -> Result<(), WriteError> {
    replace(to, mode, |new| fs::copy(from, new).map(drop))
}

/// Makes `path` by what `make` does at a place beside it, then moves it there with its mode.
///
/// What an agent that was killed has left at that place goes first.
pub fn replace<T>(
    path: &Path,
    mode: u32,
    make: impl FnOnce(&Path) -> io::Result<T>,
) -> Result<T, WriteError> {
    let try_it = || {
        let folder = path.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = folder.join(name);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let result = make(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(mode))?;
        fs::rename(&new, path)?;
        Ok(result)
    };
    try_it().map_err(|source| WriteError {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_moved_layout_keeps_the_names_of_the_pod() {
        let layout = Layout::new(PathBuf::from("/tmp/x"));
        assert_eq!(layout.socket(), Path::new("/tmp/x/agent.sock"));
        assert_eq!(layout.helper(), Path::new("/tmp/x/bin/credential-process"));
        let real = Layout::new(PathBuf::from(pod::SHARED_DIR));
        assert_eq!(real.config_file(), Path::new(pod::CONFIG_FILE));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_readers_keep_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aws/config");
        write(&path, b"old", 0o644).unwrap();
        let reader = fs::File::open(&path).unwrap();
        write(&path, b"new", 0o644).unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "old");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
    }

    #[test]
    fn what_a_killed_agent_left_half_written_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(folder.path().join("token.new"), "hal").unwrap();
        write(&path, b"whole", 0o644).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_gets_its_own_mode() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("image");
        fs::write(&from, "program").unwrap();
        fs::set_permissions(&from, Permissions::from_mode(0o400)).unwrap();
        let to = folder.path().join("bin/helper");
        install(&from, &to, 0o755).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"program");
        assert_eq!(mode(&to), 0o755);
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            install(Path::new("/nowhere"), &folder.path().join("helper"), 0o755).unwrap_err();
        assert!(
            error.to_string().contains("helper: No such file"),
            "{error}"
        );
    }
}
