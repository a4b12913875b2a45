//! How often a busy machine was forgiven.
//!
//! Tests share two cores with brokers and with each other, and Mallard rightly refuses to vouch for figures that were
//! measured so. A test that looks at something else takes such an `invalid` for what it hoped for. So that a build in
//! which every run was invalid cannot pass, each test that would forgive says here whether it had to: the file named by
//! `MALLARD_TEST_JUDGED` gets a line each time, with the reasons, for `./test` to count.

use std::panic::Location;

use crate::report;

/// Notes that a run was judged, with the codes for which it was forgiven.
///
/// # Panics
///
/// When the file cannot be written: what is forgiven and not counted is a lie.
#[track_caller]
pub fn record(codes: &[String]) {
    report::line("MALLARD_TEST_JUDGED", &format!("{}\t{}", test(), codes.join(" ")));
}

/// The test that runs: Rust's harness names its thread so, unless there is one thread for all.
#[track_caller]
fn test() -> String {
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => Location::caller().to_string(),
    }
}
