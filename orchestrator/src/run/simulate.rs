//! What the controller of a made-up case knows. The case's plan and its agents' reports are made by
//! [`crate::measure::simulate`].

use super::case::CaseContext;

/// The first case of a run of this name, on a machine with a boot id that no other has.
#[must_use]
pub fn context() -> CaseContext {
    CaseContext {
        run_id: "run".into(),
        index: 0,
        keep: false,
        begun_before: false,
        boot_id: "this boot".into(),
        loads: Vec::new(),
    }
}
