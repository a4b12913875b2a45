//! A controller that was stopped, or could not write: nothing that was measured is lost.

use crate::world::{
    PATIENCE, RUN, assert_nothing_is_lost, codes, sandbox, steady, under_load, wait_for_intervals,
};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};
use testkit::{
    mallard::{Run, Sandbox},
    process::{self, Signal},
};

/// Twelve seconds at 1,000 records a second.
const RECORDS: u64 = 12_000;

fn load() -> String {
    steady("1000/s", "11s", "")
}

fn embedded(lease: &str) -> String {
    format!("kafka: embedded\nhosts: [{{local: {{agents: 2}}}}]\nlease: {lease}\n")
}

/// A run whose controller is stopped three seconds into its load, for so long.
fn stopped_for(sandbox: &Sandbox, pause: Duration) -> Run {
    let (running, run) = under_load(sandbox, 3);
    running.signal(Signal::STOP);
    thread::sleep(pause);
    running.signal(Signal::CONT);
    let outcome = running.wait(PATIENCE);
    let result = run.only_result();
    assert!(!codes(&result).contains(&"agent_lost"), "{outcome}");
    assert_nothing_is_lost(&result, RECORDS);
    assert!(outcome.stdout.contains("mallard did not run for"), "{outcome}");
    run.assert_no_hole();
    run.wait_for_no_orphans(PATIENCE);
    run
}

#[test]
fn a_controller_that_was_stopped_for_longer_than_the_lease_archives_the_whole_load() {
    let sandbox = sandbox(&load(), &embedded("5s"));
    let run = stopped_for(&sandbox, Duration::from_secs(13));
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard/runs"));
    assert_eq!(left, Vec::<PathBuf>::new(), "agents of {} have left something", run.id());
}

#[test]
fn a_controller_that_slept_until_its_agents_had_ended_collects_what_they_left() {
    let sandbox = sandbox(&load(), &embedded("4s"));
    let run = stopped_for(&sandbox, Duration::from_secs(26));
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard/runs"));
    assert_eq!(left, Vec::<PathBuf>::new(), "agents of {} have left something", run.id());
}

/// A small file system of a test's own.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m,mode=700", "none"]).arg(&at);
        process::run(&mut mount, PATIENCE).assert_code(0);
        Self(at)
    }

    /// Takes all the room that is left, and returns the file that has it.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = process::run(Command::new("umount").arg("-l").arg(&self.0), PATIENCE);
    }
}

#[test]
fn what_a_full_disk_kept_out_of_the_archive_is_archived_when_there_is_room() {
    testkit::require!(mounting);
    let sandbox = sandbox(&load(), &embedded("30s"));
    let small = Small::mount(sandbox.path("small"));
    let mut running = sandbox.spawn([&RUN[..], &["--results", "small"]].concat());
    running.wait_for_output("load starts", PATIENCE);
    wait_for_intervals(&Run::at(small.0.join("latest")), 4);
    let ballast = small.fill();
    running.wait_for_output("no space left", PATIENCE);
    let outcome = running.wait(PATIENCE);
    outcome.assert_code(3);
    let run = Run::at(fs::canonicalize(small.0.join("latest")).expect("a run"));
    assert!(outcome.stderr.contains(&format!("mallard resume {}", run.id())), "{outcome}");
    assert!(!run.path("run.json").exists(), "the run is not over");
    run.wait_for_no_orphans(PATIENCE);
    // Nobody deletes it: neither who looks for leftovers, nor the next run.
    let kept = |at: &Path| sandbox.files_below(at).len();
    let folder = sandbox.home().join(".cache/mallard/runs").join(run.id());
    let files = kept(&folder);
    assert!(files > 0);
    let cleaned = sandbox.mallard(["clean", "c.yaml", "--results", "small", "--yes"]);
    assert!(cleaned.stdout.contains("--discard"), "{cleaned}");
    assert_eq!(kept(&folder), files, "{cleaned}");

    let again = sandbox.mallard(["resume", &run.id(), "--results", "small"]);
    again.assert_code(3);
    assert_eq!(kept(&folder), files, "the disk is still full: {again}");
    fs::remove_file(ballast).expect("room");
    let resumed = sandbox.mallard(["resume", &run.id(), "--results", "small"]);
    assert!(run.path("run.json").exists(), "{resumed}");
    assert_nothing_is_lost(&run.only_result(), RECORDS);
    run.assert_no_hole();
    run.wait_for_no_orphans(PATIENCE);
    assert_eq!(kept(&folder), 0, "everything is archived now");
}

#[test]
fn without_a_controller_agents_end_by_their_lease_and_leave_only_their_spool() {
    let sandbox = sandbox(&steady("200/s", "60s", ""), &embedded("3s"));
    let (running, run) = under_load(&sandbox, 2);
    running.signal(Signal::KILL);
    assert_eq!(running.wait(PATIENCE).code(), None);
    run.wait_for_no_orphans(Duration::from_secs(30));
    let left = sandbox.files_below(sandbox.home().join(".cache/mallard"));
    assert!(left.iter().any(|file| file.to_string_lossy().contains("spool")), "{left:?}");
    assert!(!left.iter().any(|file| file.ends_with("control.sock")), "{left:?}");
}
