//! Instructions that code takes, counted by callgrind: time on a busy machine says little, and a count shows
//! a change of one per cent.

use crate::process;
use std::{process::Command, time::Duration};

/// Valgrind makes everything some fifty times as slow.
const WITHIN: Duration = Duration::from_secs(300);

/// The instructions that a test of this program takes in functions whose name fits a pattern, with all that
/// they call. The test runs once more, alone, in a process of its own that has `environment`.
///
/// # Panics
/// If valgrind cannot be run, the test fails, or no such function was called.
#[must_use]
pub fn instructions(test: &str, function: &str, environment: &[(&str, &str)]) -> u64 {
    let folder = tempfile::tempdir().expect("a folder for callgrind");
    let program = std::env::current_exe().expect("this program's path");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={function}"))
        .arg(format!("--callgrind-out-file={}", folder.path().join("out").display()))
        .arg(program)
        .args(["--exact", test, "--test-threads=1"])
        .envs(environment.iter().copied());
    let outcome = process::run(&mut valgrind, WITHIN).expect_code(0);
    let collected = outcome.stderr.lines().find_map(|line| line.split_once("Collected : "));
    let collected = collected.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or(0);
    assert!(collected > 0, "no call of {function} in {test}: {outcome}");
    collected
}

/// What is wrong with counts, each beside its name and the count that is written down: more than so many per
/// cent off. A saving must be written down as well, or it could be lost again without a word.
#[must_use]
pub fn off(counts: &[(&str, u64, u64)], per_cent: u64) -> Vec<String> {
    let is_off = |counted: u64, written: u64| counted.abs_diff(written) * 100 > written * per_cent;
    let text = |(name, counted, written): &(&str, u64, u64)| {
        format!("{name}: {counted} instructions, {written} are written down")
    };
    counts.iter().filter(|(_, counted, written)| is_off(*counted, *written)).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_differ_by_so_many_per_cent_either_way() {
        let counts = [("a", 103, 100), ("b", 104, 100), ("c", 97, 100), ("d", 96, 100)];
        let off = off(&counts, 3);
        assert_eq!(
            off,
            [
                "b: 104 instructions, 100 are written down",
                "d: 96 instructions, 100 are written down"
            ]
        );
    }
}
