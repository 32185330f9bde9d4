//! What the figures were measured on, and what else ran there.

use crate::Failure;
use std::{fs, time::Duration};

/// How long the machine is watched before a part begins.
const WATCH: Duration = Duration::from_secs(2);

/// One line a fact.
pub(crate) fn describe() -> Result<Vec<String>, Failure> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let cores = std::thread::available_parallelism()?;
    let kibibytes: u64 = value(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_default();
    Ok(vec![
        format!(
            "processor: {cores} cores of {}",
            value(&cpu, "model name").unwrap_or("unknown")
        ),
        format!("memory: {} GiB", (kibibytes + (1 << 19)) >> 20),
        format!(
            "kernel: Linux {} {}",
            fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
            std::env::consts::ARCH
        ),
    ])
}

/// Watches for a moment how busy the machine is without us, and says so.
pub(crate) async fn load() -> Result<String, Failure> {
    let before = busy_and_all(&fs::read_to_string("/proc/stat")?)?;
    tokio::time::sleep(WATCH).await;
    let after = busy_and_all(&fs::read_to_string("/proc/stat")?)?;
    let (busy, all) = (after.0 - before.0, (after.1 - before.1).max(1));
    let average = fs::read_to_string("/proc/loadavg")?;
    let average = average.split(' ').next().unwrap_or_default();
    Ok(format!(
        "Other load as this part began: {} % of the processors' time, load average {average}.",
        100 * busy / all
    ))
}

/// Ticks that all processors were not idle, and all their ticks (proc(5), `/proc/stat`).
fn busy_and_all(stat: &str) -> Result<(u64, u64), Failure> {
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let ticks: Vec<u64> = line
        .unwrap_or_default()
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
    let [user, nice, system, idle, wait, interrupt, soft, steal, ..] = ticks[..] else {
        return Err("/proc/stat has no line of all processors".into());
    };
    let busy = user + nice + system + interrupt + soft + steal;
    Ok((busy, busy + idle + wait))
}

fn value<'a>(file: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = file.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_time_is_not_counted_twice() {
        let stat = "cpu  10 1 5 80 4 0 0 0 9 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_and_all(stat).unwrap(), (16, 100));
        assert!(busy_and_all("intr 1").is_err());
    }

    #[test]
    fn facts_are_found_by_their_name() {
        let file = "vendor_id\t: X\nmodel name\t: A B: C\n";
        assert_eq!(value(file, "model name"), Some("A B: C"));
        assert_eq!(value(file, "model"), None);
    }
}
