//! What a test takes for a run that went well, and what not.

use std::{fs, panic, path::Path, process::Command, time::Duration};
use testkit::{
    mallard::Run,
    process::{self, Finished},
};

/// A run of one case with these reasons, and a command that ended with this exit code.
fn ended(folder: &Path, code: i32, reasons: &[&str]) -> (Run, Finished) {
    let case = folder.join("cases/only");
    fs::create_dir_all(&case).expect("a folder");
    let reasons: Vec<_> = reasons.iter().map(|code| serde_json::json!({ "code": code })).collect();
    let result = serde_json::json!({ "reasons": reasons });
    fs::write(case.join("result.json"), result.to_string()).expect("a result");
    let mut command = Command::new("sh");
    let outcome =
        process::run(command.args(["-c", &format!("exit {code}")]), Duration::from_secs(20));
    (Run::at(folder.to_path_buf()), outcome)
}

/// Whether an assertion holds.
fn holds(assertion: impl FnOnce() + panic::UnwindSafe) -> bool {
    panic::catch_unwind(assertion).is_ok()
}

#[test]
fn a_run_is_forgiven_what_a_busy_machine_did_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let went_well = |code, reasons: &[&str]| {
        let (run, outcome) = ended(folder.path(), code, reasons);
        holds(|| run.assert_went_well(&outcome))
    };
    assert!(went_well(0, &[]));
    assert!(went_well(4, &["generator_slip", "intervals_late"]));
    assert!(!went_well(4, &["generator_slip", "clock_error"]));
    assert!(!went_well(4, &[]));
    assert!(!went_well(1, &["expectation_failed"]));
}

#[test]
fn a_run_that_was_to_fail_may_be_invalid_on_top_of_it_by_a_busy_machine_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = |code, reasons: &[&str]| {
        let (run, outcome) = ended(folder.path(), code, reasons);
        holds(|| drop(run.assert_ended(&outcome, 1)))
    };
    assert!(failed(1, &["expectation_failed"]));
    assert!(failed(4, &["expectation_failed", "host_cpu_saturated"]));
    assert!(!failed(4, &["expectation_failed"]));
    assert!(!failed(0, &[]));
}
