//! The agent of a pod with one grant, on folders made here.

use crate::{Failure, program::Program, run::Setup};
use alter_protocol::{
    Delivery, GrantDocument, Session,
    grant::VERSION,
    pod::{CREDENTIALS_JSON, GRANT_JSON},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// The pod's only grant.
pub(crate) const GRANT: &str = "bench";
const SERVICE_ACCOUNT: &str = "app";

/// A running agent.
pub(crate) struct Agent {
    /// Its process.
    pub(crate) program: Program,
    /// Where its endpoint listens, with that delivery.
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Agent {
    /// Starts an agent, and waits until it lets the app start.
    pub(crate) async fn start(setup: &Setup, delivery: Delivery) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (shared, grants) = (folder.path().join("shared"), folder.path().join("grants"));
        fs::create_dir(&shared)?;
        mount_secret(&grants.join(GRANT))?;
        let address = crate::loopback::free_address()?;
        let mut command = Command::new(setup.program("alter-agent"));
        command
            .args(["serve", "--grants", GRANT, "--delivery", delivery.as_str()])
            .args(["--service-account", SERVICE_ACCOUNT])
            .arg("--shared-dir")
            .arg(&shared)
            .arg("--grants-dir")
            .arg(&grants)
            .arg("--helper")
            .arg(&setup.helper)
            .args(["--endpoint-address", &address.to_string()]);
        let mut program = Program::start("alter-agent", &mut command, folder.path())?;
        let mut probe = Command::new(setup.program("alter-agent"));
        probe.arg("ready").arg("--shared-dir").arg(&shared);
        let ready = async || probe.output().is_ok_and(|output| output.status.success());
        program.ready(ready).await?;
        Ok(Self {
            program,
            address,
            folder,
        })
    }

    /// The place of a path of [`alter_protocol::pod`] in the shared volume.
    pub(crate) fn shared(&self, path: &str) -> Result<PathBuf, Failure> {
        let below = Path::new(path).strip_prefix(alter_protocol::pod::SHARED_DIR)?;
        Ok(self.folder.path().join("shared").join(below))
    }

    /// A folder that lives as long as the agent.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Lays out a Secret as the kubelet mounts it.
fn mount_secret(folder: &Path) -> Result<(), Failure> {
    let data = folder.join("..2026");
    fs::create_dir_all(&data)?;
    symlink("..2026", folder.join("..data"))?;
    let document = GrantDocument {
        version: VERSION,
        namespace: "bench".to_owned(),
        grant: GRANT.to_owned(),
        region: "us-east-1".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/bench".to_owned(),
        service_accounts: vec![SERVICE_ACCOUNT.to_owned()],
        deliveries: Delivery::ALL.map(|delivery| delivery.to_string()).to_vec(),
        revoked: None,
    };
    for (file, content) in [
        (GRANT_JSON, Zeroizing::new(document.to_json())),
        (CREDENTIALS_JSON, session(crate::now()).to_process_json()),
    ] {
        fs::write(data.join(file), content.as_bytes())?;
        symlink(Path::new("..data").join(file), folder.join(file))?;
    }
    Ok(())
}

/// A session of the size that STS gives for a role with a few tags.
pub(crate) fn session(now: Timestamp) -> Session {
    Session {
        access_key_id: "ASIABENCHBENCHBENCH1".to_owned(),
        secret_access_key: Zeroizing::new("k".repeat(40)),
        session_token: Zeroizing::new("t".repeat(900)),
        expiration: now + SignedDuration::from_hours(6),
    }
}
