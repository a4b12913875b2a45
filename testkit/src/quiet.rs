//! Who may use the machine at the same time.
//!
//! Cargo runs the tests of one binary in parallel, and a test that judges a rate or a latency on a
//! busy machine judges its neighbours. Such a test begins with `let _quiet = quiet::alone();`, and
//! a test that puts load on the machine without judging it with `let _busy =
//! quiet::beside_others();`. Test binaries run one after another, so it is enough to agree within
//! one.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Waits until no other test of this binary holds the machine, and keeps them all out.
#[must_use = "the machine is given back when this is dropped"]
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    // A test that failed while it held the machine has let go of it all the same.
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nobody holds the machine alone, and shares it with others that share it.
#[must_use = "the machine is given back when this is dropped"]
pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}
