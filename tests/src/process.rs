//! What a process costs, as the kernel counts it (proc(5)).

use anyhow::Context;
use std::time::Duration;

/// Processor time that a process has spent.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The fields after the name in brackets; user and system time are the 14th and 15th of all, in hundredths.
    let mut fields = stat.rsplit_once(')').context("proc")?.1.split_whitespace().skip(11);
    let mut ticks = || -> anyhow::Result<u64> { Ok(fields.next().context("proc")?.parse()?) };
    Ok(Duration::from_millis((ticks()? + ticks()?) * 10))
}

/// Memory that a process has in use, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmRSS:")
}

/// The most memory that a process has had in use, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn most_resident_mib(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(name)).context("proc")?;
    let kib: f64 = line.split_whitespace().nth(1).context("proc")?.parse()?;
    Ok(kib / 1024.0)
}
