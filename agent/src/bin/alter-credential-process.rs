//! `alter-credential-process <grant>`: prints a session of the pod in the form of `credential_process`.
//!
//! SDKs run it for each session they want, so it links no async runtime and formats nothing: it connects,
//! asks, prints and exits. It exits 0 only with a whole answer; else it prints one line that says what to
//! do and exits 1. AWS SDKs and Tools Reference Guide, "Process credential provider".

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use alter_protocol::pod::socket::{ERROR, OK, SESSION};
use alter_protocol::pod::{HELPER, SHARED_DIR, SOCKET};

/// The agent answers from memory: after this it hangs. SDKs have longer or no limits of their own.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A session has about 2 KiB; Java reads at most 64,000 bytes.
const LIMIT: u64 = 64_000;

/// One line for people.
type Line = Vec<u8>;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let printed = match (args.next(), args.next()) {
        (Some(grant), None) => session(grant.as_bytes()).and_then(|document| {
            let mut out = io::stdout();
            out.write_all(&document)
                .and_then(|()| out.flush())
                .map_err(|_| line(b"cannot write the session to the standard output"))
        }),
        _ => Err(line(
            b"call it with one argument: the name of a grant of this pod",
        )),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(mut line) => {
            line.push(b'\n');
            // Ignored: there is nowhere left to tell it.
            let _ = io::stderr().write_all(&line);
            ExitCode::FAILURE
        }
    }
}

fn line(text: &[u8]) -> Line {
    [b"alter-credential-process: ", text].concat()
}

/// The document, with the newline at its end.
fn session(grant: &[u8]) -> Result<Vec<u8>, Line> {
    let mut answer = ask(grant).map_err(|error| {
        line(match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                b"the agent of this pod does not run: see its container alter-agent in `kubectl describe pod`"
            }
            ErrorKind::PermissionDenied => {
                b"the agent's socket may not be opened: a security policy of this container forbids it"
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                b"the agent of this pod does not answer within 5 seconds: give its container alter-agent more CPU"
            }
            _ => b"talking to the agent of this pod failed: see the log of its container alter-agent",
        })
    })?;
    let whole = answer.pop_if(|last| *last == b'\n').is_some();
    if let Some(document) = answer.strip_prefix(OK.as_bytes())
        && whole
        && document.starts_with(b"{")
        && document.ends_with(b"}")
        && !document.contains(&b'\n')
    {
        return Ok([document, b"\n"].concat());
    }
    match answer.strip_prefix(ERROR.as_bytes()) {
        Some(why) if whole && !why.contains(&b'\n') => Err(line(why)),
        _ => Err(line(
            b"the answer of this pod's agent is not whole: try again, or see the log of its container alter-agent",
        )),
    }
}

fn ask(grant: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket()?)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&[SESSION.as_bytes(), grant, b"\n"].concat())?;
    let mut answer = Vec::with_capacity(8 * 1024);
    stream.take(LIMIT).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Beside the helper itself, in the volume that both are in.
fn socket() -> io::Result<PathBuf> {
    let below = |path: &'static str| path.strip_prefix(SHARED_DIR).unwrap_or(path);
    let program = env::current_exe()?.into_os_string().into_vec();
    match program.strip_suffix(below(HELPER).as_bytes()) {
        Some(shared) => Ok(OsString::from_vec([shared, below(SOCKET).as_bytes()].concat()).into()),
        None => Ok(SOCKET.into()),
    }
}
