//! A program under measurement: started, looked at through `/proc`, and ended by its process id.

use crate::Failure;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// No program measured here takes this long to become ready or to end.
const DEADLINE: Duration = Duration::from_mins(1);
/// Between two looks at what cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of a failed program's log is shown.
const LOG_LINES: usize = 10;
/// `USER_HZ`, the unit of times in `/proc/<pid>/stat`: 100 on every Linux architecture of Rust's tier 1.
const TICKS_PER_SECOND: u64 = 100;

/// A running program. Ends when dropped.
pub(crate) struct Program {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
}

impl Program {
    /// Starts `command`; what it prints goes to `<name>.log` in `folder`.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("cannot start {name} ({command:?}): {error}"))?;
        Ok(Self { name, log, child })
    }

    /// Waits until `look` says that the program serves.
    pub(crate) async fn ready(
        &mut self,
        mut look: impl AsyncFnMut() -> bool,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        while !look().await {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended at its start: {status}")));
            }
            if started.elapsed() > DEADLINE {
                return Err(self.failure(&format!("was not ready after {DEADLINE:?}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// With the end of what the program said.
    fn failure(&self, what: &str) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("{} {what}\n{}", self.name, end.join("\n")).into()
    }

    /// How much memory the program has, and had at most.
    pub(crate) fn memory(&self) -> Result<Memory, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(Memory {
            resident: bytes(&status, "VmRSS:")?,
            peak: bytes(&status, "VmHWM:")?,
        })
    }

    /// How long the program has used a processor.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        cpu(&stat).ok_or_else(|| format!("cannot read: {stat}").into())
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            if started.elapsed() > DEADLINE {
                return Err(format!("{} did not end within {DEADLINE:?}", self.name).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long this process has used a processor.
pub(crate) fn own_cpu() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    cpu(&stat).ok_or_else(|| format!("cannot read: {stat}").into())
}

fn bytes(status: &str, field: &str) -> Result<u64, Failure> {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number
        .map(|kibibytes: u64| kibibytes * 1024)
        .ok_or_else(|| format!("/proc/<pid>/status has no {field}").into())
}

/// The time in user and kernel mode of all threads, ended ones too (proc(5), fields 14 and 15).
fn cpu(stat: &str) -> Option<Duration> {
    // The program's name, field 2, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let total = ticks()? + ticks()?;
    Some(Duration::from_millis(total * 1_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 13 14 15";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_750)));
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "VmPeak:\t  1 kB\nVmHWM:\t  120 kB\nVmRSS:\t   96 kB\n";
        assert_eq!(bytes(status, "VmHWM:").unwrap(), 120 * 1024);
        assert_eq!(bytes(status, "VmRSS:").unwrap(), 96 * 1024);
        assert!(bytes(status, "VmSwap:").is_err());
    }
}
