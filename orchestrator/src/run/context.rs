//! What a case has to know beside its plan.

use crate::calibrate::AgentLoad;

/// What a case has to know beside its plan.
#[derive(Clone, Debug)]
pub struct CaseContext {
    /// The run's id.
    pub run_id: String,
    /// The case's place among the run's cases, from 0.
    pub index: usize,
    /// Leave created topics and groups on the broker.
    pub keep: bool,
    /// An earlier controller began the run, and may have made topics before it died.
    pub begun_before: bool,
    /// Boot id of this machine: agents with the same one share its monotonic clock.
    pub boot_id: String,
    /// Loads of agents that were calibrated.
    pub loads: Vec<AgentLoad>,
}
