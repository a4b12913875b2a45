//! Who needs the machine without others.
//!
//! Tests run several at a time, and several binaries of them: most of their time they wait. A test that judges a rate
//! or a latency, or that takes all of the machine, would judge or disturb its neighbours. Such a test says so in its
//! first lines, `testkit::alone!();`: the others of its binary that say so wait for its end, and `./test` leaves all of
//! them until everything else has ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::report;

static MACHINE: Mutex<()> = Mutex::new(());

/// Has the test run without others that say the same; or leaves it for later, where that is asked for.
///
/// ```ignore
/// #[test]
/// fn a_rate_is_kept() {
///     testkit::require!(kafka);
///     testkit::alone!();
///     // …
/// }
/// ```
#[macro_export]
macro_rules! alone {
    () => {
        if $crate::quiet::is_left_for_later({
            fn here() {}
            ::std::any::type_name_of_val(&here)
        }) {
            return;
        }
        let _machine = $crate::quiet::alone();
    };
}

/// Waits until no other test of this binary has the machine.
#[must_use = "the machine is given back when this is dropped"]
pub fn alone() -> MutexGuard<'static, ()> {
    // A test that failed while it had the machine has let go of it all the same.
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this test is to run later: where the variable `MALLARD_TEST_LATER` names a file, that gets a line, for
/// `./test` to know it by. For [`alone!`](crate::alone!), which gives the path of a function inside the test for `here`.
#[must_use]
pub fn is_left_for_later(here: &str) -> bool {
    if std::env::var_os("MALLARD_TEST_LATER").is_none() {
        return false;
    }
    let test = here.strip_suffix("::here").unwrap_or(here);
    // Rust's harness knows it without the name of its crate.
    report::line("MALLARD_TEST_LATER", test.split_once("::").map_or(test, |(_, test)| test));
    true
}
