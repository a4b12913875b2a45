//! What the controller of a made-up case knows, and its clock. The case's plan and its agents' reports are made by
//! `simulate.rs` beside this file.

use jiff::{SignedDuration, Timestamp};
use mallard::{clock::Moment, run::context::CaseContext};

/// The first case of a run of this name, on a machine with a boot id that no other has.
#[must_use]
pub(crate) fn context() -> CaseContext {
    CaseContext {
        run_id: "run".into(),
        index: 0,
        keep: false,
        begun_before: false,
        boot_id: "this boot".into(),
        loads: Vec::new(),
    }
}

/// Wall time when the monotonic clock of a made-up machine shows 0: 2026-01-01T12:00:00Z.
const BOOTED_S: i64 = 1_767_268_800;

/// A moment on a machine whose wall clock and monotonic clock go alike.
#[must_use]
pub(crate) fn at(monotonic_us: u64) -> Moment {
    let booted = Timestamp::from_second(BOOTED_S).unwrap_or_default();
    let since = SignedDuration::from_micros(i64::try_from(monotonic_us).unwrap_or(i64::MAX));
    Moment { monotonic_us, wall: booted.checked_add(since).unwrap_or(Timestamp::MAX) }
}
