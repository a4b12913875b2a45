//! Guards on a process that stands for a broker: whoever is killed, and at whatever moment, the fault is undone. The
//! kernel says what became of the victim.

#![expect(clippy::unwrap_used, reason = "these are tests")]

#[path = "support/guard.rs"]
mod guard_process;
mod support;

use guard_process::Guard;
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, Write},
    path::PathBuf,
    process::Command,
};
use support::{PATIENCE, program};
use testkit::{
    process::{self, Signal},
    wait,
};

/// A victim, and the folder of notes that guards of this test use.
struct Scene {
    folder: tempfile::TempDir,
}

/// Starts what stands for a broker, as `start` of a cluster file would.
const START: &str = "sleep 600 & echo $! > $0";

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.notes()).unwrap();
        let started = Command::new("sh").args(["-c", START]).arg(scene.pid_file()).status();
        assert!(started.unwrap().success());
        scene
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    fn pid(&self) -> u32 {
        fs::read_to_string(self.pid_file()).unwrap().trim().parse().unwrap()
    }

    /// The victim's state as the kernel has it; `None` if it has ended.
    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.trim_start().chars().next().filter(|state| *state != 'Z')
    }

    fn is_well(&self) -> bool {
        matches!(self.state(), Some('S' | 'R'))
    }

    fn notes_left(&self) -> usize {
        fs::read_dir(self.notes()).unwrap().count()
    }

    /// Starts a guard that is to do this for so long.
    fn guard(&self, act: &Value, for_ms: u64) -> Guard {
        let pid_file = self.pid_file();
        let order = json!({
            "id": "test-1", "act": act, "address": null, "tls": false, "for_ms": for_ms, "undo_ms": 5_000,
            "lease_ms": 400,
            "victim": {"process": {"pid_file": pid_file, "start": ["sh", "-c", START, pid_file]}},
        });
        Guard::start(&self.notes(), &order)
    }

    fn sweep(&self) -> String {
        let output =
            program().args(["guard", "--sweep", "--dir"]).arg(self.notes()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        process::send(self.pid(), Signal::KILL);
    }
}

fn acts() -> [Value; 3] {
    [json!("pause"), json!({"kill": {"signal": "kill"}}), json!({"kill": {"signal": "term"}})]
}

/// The effect is there, by the kernel's word.
#[track_caller]
fn assert_harmed(scene: &Scene, act: &Value) {
    let expected = if act == "pause" { Some('T') } else { None };
    assert_eq!(scene.state(), expected, "{act}");
}

#[track_caller]
fn assert_undone(scene: &Scene, guard: &mut Guard, by: &str) {
    let undone = guard.expect("undone");
    assert_eq!(undone["by"], by, "{undone}");
    assert!(scene.is_well(), "{:?}", scene.state());
    assert!(guard.until("anything more").is_none());
    assert_eq!(scene.notes_left(), 0);
}

#[test]
fn a_fault_has_its_effect_for_its_time_and_is_undone() {
    for act in acts() {
        let scene = Scene::new();
        let mut guard = scene.guard(&act, 1_500);
        let begun = guard.expect("begun")["clock_us"].as_u64().unwrap();
        guard.expect("effect");
        assert_harmed(&scene, &act);
        let ended = guard.expect("ended");
        assert_eq!(ended["cause"], "its time was over");
        assert!(ended["clock_us"].as_u64().unwrap() >= begun + 1_500_000, "{act}");
        assert_undone(&scene, &mut guard, "the guard");
    }
}

#[test]
fn a_fault_ends_when_its_controller_says_so_and_when_it_is_gone_for_its_lease() {
    for act in acts() {
        let scene = Scene::new();
        let mut guard = scene.guard(&act, 600_000);
        guard.expect("effect");
        writeln!(guard.stdin.as_ref().unwrap(), "end").unwrap();
        assert_eq!(guard.expect("ended")["cause"], "its controller ended it");
        assert_undone(&scene, &mut guard, "the guard");

        let mut guard = scene.guard(&act, 600_000);
        guard.expect("effect");
        drop(guard.stdin.take());
        assert_eq!(
            guard.expect("ended")["cause"],
            "its controller was gone for the time of its lease"
        );
        assert_undone(&scene, &mut guard, "the guard");
    }
}

#[test]
fn a_guard_that_is_killed_leaves_the_undoing_to_its_twin() {
    for act in acts() {
        for moment in ["armed", "begun", "effect"] {
            let scene = Scene::new();
            let mut guard = scene.guard(&act, 600_000);
            guard.expect(moment);
            guard.kill();
            // Before it began there is nothing to undo; which of both it was the note knows.
            let last = loop {
                let mut line = String::new();
                assert!(guard.reports.read_line(&mut line).unwrap() > 0, "{act} {moment}");
                let report: Value = serde_json::from_str(&line).unwrap();
                if ["undone", "not_begun", "not_undone"]
                    .contains(&report["report"].as_str().unwrap())
                {
                    break report;
                }
            };
            assert_ne!(last["report"], "not_undone", "{act} {moment} {last}");
            assert!(scene.is_well(), "{act} {moment} {:?}", scene.state());
            assert!(guard.until("anything more").is_none());
            assert_eq!(scene.notes_left(), 0, "{act} {moment}");
        }
    }
}

#[test]
fn a_twin_that_is_killed_is_replaced_and_its_successor_undoes() {
    for act in acts() {
        let scene = Scene::new();
        let mut guard = scene.guard(&act, 600_000);
        let twin = guard.twin();
        guard.expect("effect");
        process::send(twin, Signal::KILL);
        let file = scene.notes().join("test-1.twin");
        wait::until("another twin", PATIENCE, || {
            let noted: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            (noted["process"]["pid"] != twin).then_some(())
        });
        assert_harmed(&scene, &act);
        guard.kill();
        assert_undone(&scene, &mut guard, "its twin");
    }
}

#[test]
fn what_a_guard_and_its_twin_leave_that_are_killed_at_once_is_undone_by_whoever_comes_later() {
    for act in acts() {
        let scene = Scene::new();
        let mut guard = scene.guard(&act, 600_000);
        let twin = guard.twin();
        guard.expect("effect");
        // Neither sees the other one's end.
        process::send(twin, Signal::STOP);
        guard.kill();
        process::send(twin, Signal::KILL);
        assert!(guard.until("undone").is_none(), "nobody was left");
        assert_harmed(&scene, &act);
        let is_gone = || (!process::is_alive(twin)).then_some(());
        wait::until("the end of the twin", PATIENCE, is_gone);
        let said = scene.sweep();
        assert!(said.contains(r#""report":"undone""#), "{said}");
        assert!(scene.is_well());
        assert_eq!(scene.notes_left(), 0);
        assert_eq!(scene.sweep(), "", "once is enough");
    }
}

#[test]
fn a_sweep_leaves_alone_what_is_held() {
    let scene = Scene::new();
    let mut guard = scene.guard(&json!("pause"), 600_000);
    guard.expect("effect");
    assert_eq!(scene.sweep(), "");
    assert_eq!(scene.state(), Some('T'));
    drop(guard.stdin.take());
    assert_undone(&scene, &mut guard, "the guard");
}

#[test]
fn a_guard_that_stands_still_itself_is_not_waited_for() {
    let scene = Scene::new();
    let mut guard = scene.guard(&json!("pause"), 1_500);
    guard.expect("effect");
    process::send(guard.child.id(), Signal::STOP);
    let undone = guard.expect("undone");
    assert_eq!(undone["by"], "its twin");
    assert!(scene.is_well());
    // It finds nothing left to undo, and says so.
    process::send(guard.child.id(), Signal::CONT);
    assert_undone(&scene, &mut guard, "the guard");
}

#[test]
fn a_victim_that_somebody_else_ended_meanwhile_is_started_again_and_told() {
    let scene = Scene::new();
    let mut guard = scene.guard(&json!("pause"), 1_500);
    guard.expect("effect");
    process::send(scene.pid(), Signal::KILL);
    let undone = guard.expect("undone");
    assert_eq!(undone["revived"], true, "{undone}");
    assert!(scene.is_well());
}

#[test]
fn a_process_that_got_the_victims_number_is_not_touched() {
    let scene = Scene::new();
    let mut guard = scene.guard(&json!("pause"), 600_000);
    let twin = guard.twin();
    guard.expect("effect");
    process::send(twin, Signal::STOP);
    guard.kill();
    process::send(twin, Signal::KILL);
    assert!(guard.until("undone").is_none(), "nobody was left");
    wait::until("the end of the twin", PATIENCE, || (!process::is_alive(twin)).then_some(()));
    // The note is made to be about an earlier process of that number.
    let file = scene.notes().join("test-1.json");
    let mut note: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    note["identity"]["process"]["start_ticks"] = json!(1);
    fs::write(&file, note.to_string()).unwrap();
    let _said = scene.sweep();
    assert_eq!(scene.state(), Some('T'), "it is another process");
    process::send(scene.pid(), Signal::CONT);
}

#[test]
fn an_order_that_cannot_be_carried_out_says_why_and_leaves_nothing() {
    let scene = Scene::new();
    let pid = scene.pid();
    fs::write(scene.pid_file(), "4194999").unwrap();
    let mut guard = scene.guard(&json!("pause"), 1_500);
    let refused = guard.expect("not_begun");
    assert!(refused["cause"].as_str().unwrap().contains("does not run"), "{refused}");
    assert!(guard.until("anything more").is_none());
    assert_eq!(scene.notes_left(), 0);
    fs::write(scene.pid_file(), pid.to_string()).unwrap();
}
