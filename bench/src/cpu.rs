//! CPU time of a program and of everything that it has started.
//!
//! The kernel adds the times of a process to its parent's account of ended children when the parent
//! waits for it. Mallard's agents are not children of `mallard`, so this process makes itself the
//! parent of orphans, waits for them too, and reads its own account before and after. The account is
//! kept in ticks of 10 ms.
//!
//! Invariant: between the two readings nothing else that this process has started may end. The broker
//! and its guard live on.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, WaitOptions, waitpid};
use testkit::process::{self, Finished, Running, Times};
use testkit::wait;

/// How long orphans may take to end after the program that started them.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(20);

/// A program that has ended, and what it cost.
#[derive(Debug)]
pub(crate) struct Costed {
    /// What it left behind.
    pub(crate) finished: Finished,
    /// CPU time of it and of everything that it had started, user and system, in seconds.
    pub(crate) cpu_s: f64,
}

/// A program under way.
#[derive(Debug)]
pub(crate) struct Started {
    running: Running,
    children: BTreeSet<u32>,
    before_s: f64,
}

/// Makes this process the parent of orphans among its descendants.
pub(crate) fn adopt_orphans() -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context("failed to become the parent of orphans")
}

/// Starts a program.
pub(crate) fn start(command: &mut Command) -> Result<Started> {
    let (children, before_s) = (children()?, ended_children_s()?);
    Ok(Started { running: process::start(command), children, before_s })
}

/// Runs a program to its end. How it ends is for the caller to judge.
pub(crate) fn run(command: &mut Command, within: Duration) -> Result<Costed> {
    start(command)?.wait(within)
}

impl Started {
    /// Waits for the end of the program and of everything that it has started.
    pub(crate) fn wait(self, within: Duration) -> Result<Costed> {
        let finished = self.running.wait(within);
        wait_for_orphans(&self.children)?;
        Ok(Costed { finished, cpu_s: ended_children_s()? - self.before_s })
    }
}

/// CPU time of a process that runs, in seconds.
pub(crate) fn of(pid: u32) -> Result<f64> {
    Ok(times(pid)?.own.as_secs_f64())
}

fn wait_for_orphans(known: &BTreeSet<u32>) -> Result<()> {
    let deadline = Instant::now() + ORPHANS_END_WITHIN;
    loop {
        let orphans: Vec<u32> = children()?.difference(known).copied().collect();
        if orphans.is_empty() {
            return Ok(());
        }
        for orphan in &orphans {
            let pid = i32::try_from(*orphan).ok().and_then(Pid::from_raw);
            // One that has not ended is looked at again.
            let _not_yet = waitpid(pid, WaitOptions::NOHANG);
        }
        anyhow::ensure!(Instant::now() < deadline, "processes {orphans:?} were left behind");
        let _pause = wait::poll(Duration::from_millis(20), || None::<()>);
    }
}

/// Ids of this process's children, ended ones that nobody has waited for among them.
fn children() -> Result<BTreeSet<u32>> {
    let entries = fs::read_dir("/proc").context("failed to read /proc")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| process::parent(*pid) == Some(std::process::id())).collect())
}

/// CPU time of this process's ended children and of theirs, in seconds.
fn ended_children_s() -> Result<f64> {
    Ok(times(std::process::id())?.ended_children.as_secs_f64())
}

fn times(pid: u32) -> Result<Times> {
    process::times(pid).with_context(|| format!("the kernel tells no times of process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_grandchildren_and_of_orphans_is_counted() {
        adopt_orphans().unwrap();
        // The loop is left behind by its shell, and ends on its own.
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let script = format!("(sh -c '{busy}' &)");
        let costed = run(Command::new("sh").args(["-c", &script]), ORPHANS_END_WITHIN).unwrap();
        costed.finished.assert_code(0);
        assert!(costed.cpu_s > 0.0, "{costed:?}");
    }
}
