//! The chart as a release on the API server of the run.

use crate::{
    CHART, Failure,
    command::{kubectl, run},
    render::{NAMESPACE, RELEASE, configuration},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

static RELEASED: Mutex<()> = Mutex::new(());

/// The installed chart, for one test at a time.
pub struct Release {
    _alone: MutexGuard<'static, ()>,
}

impl Release {
    /// Installs the chart's default configuration, or takes it as the last test left it.
    pub fn installed() -> Result<Self, Failure> {
        let alone = RELEASED.lock().unwrap_or_else(PoisonError::into_inner);
        let release = Self { _alone: alone };
        release.upgrade(&["--install", "--create-namespace"])?;
        Ok(release)
    }

    /// `helm upgrade`, with arguments.
    pub fn upgrade(&self, arguments: &[&str]) -> Result<String, Failure> {
        let values = configuration("default");
        let values = values.to_string_lossy();
        let mut command = vec!["upgrade", RELEASE, CHART, "--namespace", NAMESPACE];
        command.extend(["--values", &values]);
        command.extend(arguments);
        run("helm", &command, "")
    }

    /// `helm uninstall`.
    pub fn uninstall(&self) -> Result<String, Failure> {
        run(
            "helm",
            &["uninstall", RELEASE, "--namespace", NAMESPACE],
            "",
        )
    }
}

/// A new namespace, with labels such as `a=b`.
pub fn namespace(name: &str, labels: &[&str]) -> Result<(), Failure> {
    kubectl(&["create", "namespace", name], "")?;
    for label in labels {
        kubectl(&["label", "namespace", name, label], "")?;
    }
    Ok(())
}

/// Asks until the answer is yes. The API server learns of a policy or a right a moment after it is written.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !check() {
        if Instant::now() > deadline {
            return Err(format!("in vain for 30 s: {what}").into());
        }
        thread::yield_now();
    }
    Ok(())
}
