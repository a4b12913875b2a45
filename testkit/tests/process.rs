//! Programs are started, waited for and ended as the tests rely on it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::process::{self, Signal};
use testkit::wait;

const SOON: Duration = Duration::from_secs(20);

/// Set for the process that a test starts in order to look at it from outside.
const VICTIM: &str = "MALLARD_TEST_VICTIM";

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// This test binary again, with one of its tests in the role of a victim.
fn victim(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture"]).env(VICTIM, "yes");
    command.env_remove("CI").env_remove("MALLARD_TEST_QUICK").env_remove("MALLARD_TEST_SKIPPED");
    command
}

fn is_victim() -> bool {
    std::env::var_os(VICTIM).is_some()
}

#[test]
fn a_program_is_run_to_its_end() {
    let ended = process::run(&mut sh("echo out; echo err >&2; exit 3"), SOON).expect_code(3);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(process::run(&mut sh("kill -9 $$"), SOON).signal(), Some(9));
}

#[test]
#[should_panic(expected = "said so far")]
fn a_program_that_hangs_is_killed_and_shown() {
    let _never = process::run(&mut sh("echo said so far; sleep 600"), Duration::from_millis(300));
}

#[test]
fn a_child_left_behind_does_not_hang_the_wait() {
    let began = Instant::now();
    let ended = process::run(&mut sh("sleep 15 & echo done"), SOON);
    assert_eq!(ended.stdout, "done\n");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_program_can_be_watched_signalled_and_found() {
    let mut running = process::start(&mut sh(
        "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done",
    ));
    running.wait_for_output("ready", SOON);
    assert!(running.is_running());
    let found = process::with_command_line("echo caught; exit 7");
    assert!(found.iter().any(|process| process.pid == running.pid()), "{found:?}");
    running.signal(Signal::INT);
    assert_eq!(running.wait(SOON).expect_code(7).stdout, "ready\ncaught\n");
}

#[test]
fn a_dropped_program_is_ended() {
    let running = process::start(&mut sh("sleep 600"));
    let pid = running.pid();
    assert!(process::is_alive(pid));
    drop(running);
    assert!(!process::is_alive(pid));
}

#[test]
fn a_missing_part_skips_the_test_unless_ci_is_set() {
    if is_victim() {
        let given = testkit::require::is_given("pond::test::here", "unicorn", || {
            Err("none was ever seen".to_owned())
        });
        println!("given: {given}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let skipped = folder.path().join("skipped");
    let test = "a_missing_part_skips_the_test_unless_ci_is_set";

    let ended =
        process::run(victim(test).env("MALLARD_TEST_SKIPPED", &skipped), SOON).expect_code(0);
    assert!(ended.stdout.contains("given: false"), "{ended}");
    assert!(
        ended.stderr.contains("skipped: pond::test needs unicorn: none was ever seen"),
        "{ended}"
    );
    let recorded = std::fs::read_to_string(&skipped).unwrap();
    assert_eq!(recorded, "pond::test\tunicorn\tnone was ever seen\n");

    let ended = process::run(victim(test).env("CI", "true"), SOON).expect_code(101);
    assert!((ended.stdout + &ended.stderr).contains("must not be missing where CI is set"));

    let ended = process::run(victim(test).env("CI", "true").env("MALLARD_TEST_QUICK", "1"), SOON)
        .expect_code(0);
    assert!(ended.stderr.contains("a quick run leaves it out"), "{ended}");
}

#[test]
fn what_is_guarded_dies_with_its_test_process() {
    if is_victim() {
        let folder = tempfile::tempdir().unwrap().keep();
        let guarded =
            testkit::guard::Guarded::start(&["sleep", "600"], &folder.join("log"), Some(&folder));
        println!("guarded {} in {}", guarded.pid(), folder.display());
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut command = victim("what_is_guarded_dies_with_its_test_process");
    let mut running = process::start(command.stderr(Stdio::null()));
    running.wait_for_output(" in /", SOON);
    let said = running.stdout_so_far();
    let (pid, folder) = said
        .lines()
        .find_map(|line| line.split_once("guarded ")?.1.split_once(" in "))
        .expect("what was started");
    let pid = pid.parse().unwrap();
    assert!(process::is_alive(pid) && std::path::Path::new(folder).is_dir());
    running.signal(Signal::KILL);
    wait::until("the end of what was guarded", SOON, || (!process::is_alive(pid)).then_some(()));
    wait::until("its folder to go", SOON, || {
        (!std::path::Path::new(folder).exists()).then_some(())
    });
    assert_eq!(running.wait(SOON).signal(), Some(9));
}
