//! Exit codes: a contract with scripts and CI.

use crate::model::result::Verdict;

/// Every expectation held.
pub const PASS: i32 = 0;
/// An expectation did not hold.
pub const FAIL: i32 = 1;
/// The command line, a scenario or a cluster file is wrong. Nothing was touched.
pub const USAGE: i32 = 2;
/// The harness or the infrastructure broke.
pub const ERROR: i32 = 3;
/// The measurement cannot be trusted.
pub const INVALID: i32 = 4;
/// Somebody stopped it.
pub const INTERRUPTED: i32 = 130;

/// The exit code of a verdict.
#[must_use]
pub fn of(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Pass => PASS,
        Verdict::Fail => FAIL,
        Verdict::Invalid => INVALID,
        Verdict::Error => ERROR,
        Verdict::Interrupted => INTERRUPTED,
    }
}
