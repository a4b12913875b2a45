//! Wrong bytes for everything of Mallard that reads bytes.
//!
//! What this is: real messages of every kind ([`seeds`]), damaged at random ([`damage`]), for as long as it
//! is given ([`for_a_while`]); a failure is shrunk to few edits and printed. It runs on stable Rust, as part
//! of the tests. What it is not: it does not watch which code the bytes reach, as cargo-fuzz does on nightly
//! Rust, so it finds less in the same time.

pub mod damage;
pub mod seeds;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// Seconds that each target runs.
pub const SECONDS: &str = "MALLARD_FUZZ_SECONDS";

/// Without [`SECONDS`]: enough to see that a target works.
const SHORT: Duration = Duration::from_secs(1);

/// Inputs between two looks at the clock.
const ROUND: u32 = 64;

/// Runs a target over random inputs for as long as the environment says, and returns how many there were.
///
/// # Panics
///
/// With the smallest input that was found to fail, if one does; and if the environment makes no sense.
pub fn for_a_while<S: Strategy>(
    inputs: &S,
    target: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> u64
where
    S::Value: Debug,
{
    let until = Instant::now() + how_long();
    let config = Config { cases: ROUND, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut tried = 0;
    while Instant::now() < until {
        match runner.run(inputs, &target) {
            Ok(()) => tried += u64::from(ROUND),
            Err(TestError::Fail(why, input)) => panic!("{why}\nby the input {input:?}"),
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
    }
    tried
}

fn how_long() -> Duration {
    let Ok(text) = std::env::var(SECONDS) else { return SHORT };
    match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => panic!("{SECONDS} is a whole number of seconds, and not `{text}`"),
    }
}
