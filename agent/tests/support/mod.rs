//! The real programs in a folder that stands for a pod: its shared volume and its grants' mounted Secrets.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    reason = "part of the tests, each of which uses some of it"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use alter_protocol::grant::{GrantDocument, VERSION};
use alter_protocol::{Revocation, Session};
use jiff::{SignedDuration, Timestamp};

mod broker;

pub use broker::{Broker, issued};

pub const SECRET: &str = "s3cr3t/key";
pub const TOKEN: &str = "tok3n==";

/// Far beyond any machine's slowness: a test that waits this long has failed.
const HANG: Duration = Duration::from_mins(1);

#[allow(clippy::disallowed_methods, reason = "real programs live by the clock")]
pub fn session(key: &str, lives: SignedDuration) -> Session {
    Session {
        access_key_id: key.to_owned(),
        secret_access_key: SECRET.to_owned().into(),
        session_token: TOKEN.to_owned().into(),
        expiration: Timestamp::now() + lives,
    }
}

pub fn document(grant: &str) -> GrantDocument {
    GrantDocument {
        version: VERSION,
        namespace: "team-a".to_owned(),
        grant: grant.to_owned(),
        region: "us-east-1".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
        service_accounts: Vec::new(),
        deliveries: vec!["process".to_owned(), "endpoint".to_owned()],
        revoked: None,
    }
}

pub fn revoked(grant: &str) -> GrantDocument {
    GrantDocument {
        revoked: Some(Revocation {
            reason: "Suspended".to_owned(),
            message: "spec.suspend is true; set it to false".to_owned(),
        }),
        ..document(grant)
    }
}

pub struct Pod {
    folder: tempfile::TempDir,
    writes: std::cell::Cell<u32>,
}

impl Pod {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pod = Self {
            folder,
            writes: 0.into(),
        };
        // As in a pod: other users may enter, and the volume is everyone's.
        fs::set_permissions(pod.folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(pod.shared()).unwrap();
        fs::set_permissions(pod.shared(), Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(pod.folder.path().join("grants")).unwrap();
        pod
    }

    pub fn shared(&self) -> PathBuf {
        self.folder.path().join("shared")
    }

    /// Where the grants' Secrets are mounted.
    pub fn grants(&self) -> PathBuf {
        self.folder.path().join("grants")
    }

    /// What the kubelet mounts for a grant, and how it changes it: a new folder, a link beside, a rename.
    pub fn write(&self, grant: &str, document: &GrantDocument, session: Option<&Session>) {
        self.write_files(
            grant,
            &document.to_json(),
            session
                .map(Session::to_process_json)
                .as_deref()
                .map(|text| &**text),
        );
    }

    pub fn write_files(&self, grant: &str, document: &str, credentials: Option<&str>) {
        let folder = self.folder.path().join("grants").join(grant);
        self.writes.set(self.writes.get() + 1);
        let name = format!("..{}", self.writes.get());
        fs::create_dir_all(folder.join(&name)).unwrap();
        fs::write(folder.join(&name).join("grant.json"), document).unwrap();
        if let Some(text) = credentials {
            fs::write(folder.join(&name).join("credentials.json"), text).unwrap();
        }
        let old = fs::read_link(folder.join("..data"));
        symlink(&name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        if let Ok(old) = old {
            fs::remove_dir_all(folder.join(old)).unwrap();
        }
    }

    /// Starts the agent and waits until it listens.
    pub fn agent(&self, grants: &str, more: &[&str]) -> Agent {
        let agent = Agent::start(self.command(grants, more));
        agent.saw("\"listening\"");
        agent
    }

    /// With a umask that would lock everyone else out.
    pub fn command(&self, grants: &str, more: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask 077 && exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_alter-agent"))
            .args(["serve", "--service-account", "app", "--grants", grants])
            .arg("--shared-dir")
            .arg(self.shared())
            .arg("--grants-dir")
            .arg(self.folder.path().join("grants"))
            .args(["--helper", env!("CARGO_BIN_EXE_alter-credential-process")])
            .args(["--endpoint-address", "127.0.0.1:0"])
            .args(more);
        command
    }

    /// Where the agent has its token and the CAs from.
    pub fn broker_folder(&self) -> PathBuf {
        self.folder.path().join("broker")
    }

    /// Starts an agent that asks the broker for `from_broker`.
    pub fn agent_of(&self, broker: &Broker, grants: &str, from_broker: &str) -> Agent {
        let url = format!("https://localhost:{}", broker.port);
        let folder = self.broker_folder();
        let more = [
            "--broker-url",
            &url,
            "--broker-grants",
            from_broker,
            "--broker-dir",
        ];
        self.agent(grants, &[&more[..], &[folder.to_str().unwrap()]].concat())
    }

    /// Runs the helper that the agent has put into the volume.
    pub fn helper(&self, args: &[&str]) -> Output {
        Command::new(self.shared().join("bin/credential-process"))
            .args(args)
            .output()
            .unwrap()
    }

    /// As a user that is neither root nor the agent's; as oneself where the tests do not run as root.
    pub fn helper_as_another_user(&self, grant: &str) -> Output {
        let mut command = Command::new(self.shared().join("bin/credential-process"));
        if fs::metadata(self.folder.path()).unwrap().uid() == 0 {
            command.uid(65_534).gid(65_534);
        }
        command.arg(grant).current_dir("/").output().unwrap()
    }

    pub fn ready(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_alter-agent"))
            .args(["ready", "--shared-dir"])
            .arg(self.shared())
            .output()
            .unwrap()
    }

    pub fn mode(&self, path: &str) -> u32 {
        let metadata = fs::metadata(self.shared().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    }
}

/// A running agent. Ends with the test; whatever it wrote to its log holds no secret.
pub struct Agent {
    child: Child,
    log: Receiver<String>,
}

impl Agent {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Self { child, log }
    }

    /// Waits for a line of the log that holds `text`.
    pub fn saw(&self, text: &str) -> String {
        loop {
            let line = self
                .log
                .recv_timeout(HANG)
                .unwrap_or_else(|error| panic!("the agent never logged {text:?}: {error}"));
            assert_no_secret(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for the line of a listener, for its address.
    pub fn address(&self, listener: &str) -> String {
        let line: serde_json::Value = serde_json::from_str(&self.saw(listener)).unwrap();
        line["address"].as_str().unwrap().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end, for its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        loop {
            match self.log.recv_timeout(HANG) {
                Ok(line) => assert_no_secret(&line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("the agent did not end"),
            }
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for line in &self.log {
            assert_no_secret(&line);
        }
    }
}

fn assert_no_secret(line: &str) {
    assert!(!line.contains(SECRET) && !line.contains(TOKEN), "{line}");
}

/// The helper gave this session.
pub fn assert_session(output: &Output, key: &str) {
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let document = Session::from_process_json(&output.stdout).unwrap();
    assert_eq!(document.access_key_id, key);
    assert_eq!(*document.secret_access_key, SECRET);
}

/// The helper gave nothing but one line; that line.
pub fn assert_refused(output: &Output) -> String {
    assert_eq!(text(&output.stdout), "");
    assert_eq!(output.status.code(), Some(1));
    let line = text(&output.stderr);
    assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    assert!(line.starts_with("alter-credential-process: "), "{line:?}");
    line
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Says `request` on a stream and reads until its end.
pub fn converse<S: std::io::Read + std::io::Write>(mut stream: S, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // An end by force is an end too: what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    text(&answer)
}

/// An hour.
pub const LONG: SignedDuration = SignedDuration::from_hours(1);

/// Puts the helper at its place under `folder`, without an agent.
pub fn lonely_helper(folder: &Path) -> PathBuf {
    let helper = folder.join("bin/credential-process");
    fs::create_dir_all(folder.join("bin")).unwrap();
    // By a process of its own: a descriptor open for writing here could be inherited by what another
    // test starts, and the program could not be executed until that ends.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_alter-credential-process"))
        .arg(&helper)
        .status();
    assert!(copied.unwrap().success());
    helper
}
