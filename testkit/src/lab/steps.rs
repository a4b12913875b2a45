//! Single steps that building a lab is made of: each works, or the test ends.

use crate::process;
use std::{fs, path::Path, process::Command, time::Duration};

/// The user that Mallard logs in as: not root.
pub const USER: &str = "bench";

/// How long one step of building may take: milliseconds on an idle machine.
pub(super) const STEP_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn write(file: &Path, text: &str) {
    fs::write(file, text)
        .unwrap_or_else(|error| panic!("failed to write {}: {error}", file.display()));
}

/// Runs a program that must succeed.
#[track_caller]
pub(super) fn must(program: &str, args: &[&str]) -> String {
    process::run(Command::new(program).args(args), STEP_WITHIN).expect_code(0).stdout
}

/// Runs a script in the network namespace of a process.
#[track_caller]
pub(super) fn must_in_network_of(pid: u32, script: &str) {
    must("nsenter", &["-t", &pid.to_string(), "-n", "sh", "-ec", script]);
}
