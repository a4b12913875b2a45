//! Phases of the load, announced as they begin.

use super::shared::Shared;
use crate::model::events::RunEvent;

/// How long after the common start agents that have not said how late they began are waited for, in
/// microseconds.
const STARTED_WITHIN_US: u64 = 200_000;

/// Which phases have been announced.
#[derive(Debug, Default)]
pub(super) struct Phases {
    /// The last one; none before the load has been.
    last: Option<usize>,
}

impl Phases {
    /// An earlier controller has announced those that had begun by then, on the run's clock.
    pub(super) fn resume(case: &Shared, at_us: u64) -> Self {
        Self { last: Some(case.plan.timeline.phase_at(at_us).index()) }
    }

    /// Announces the start of the load and of every phase, once.
    pub(super) fn tell(&mut self, case: &mut Shared, at_us: u64) {
        if self.last.is_none() {
            let late: Vec<_> = case.agents.iter().filter_map(|agent| agent.start_late_us).collect();
            let waiting = late.len() < case.living().len() && at_us < STARTED_WITHIN_US;
            if waiting {
                return;
            }
            let spread_us = late.iter().max().unwrap_or(&0) - late.iter().min().unwrap_or(&0);
            case.emit(RunEvent::LoadStarted { case: case.plan.name.clone(), spread_us });
        }
        let now_in = case.plan.timeline.phase_at(at_us).index();
        let first = self.last.map_or(0, |phase| phase + 1);
        for phase in first..=now_in {
            let Some(phase) = case.plan.timeline.0.get(phase) else { break };
            let (phase, at_us) = (phase.name.clone(), phase.start_us);
            case.emit(RunEvent::PhaseStarted { phase, at_us });
        }
        self.last = Some(self.last.unwrap_or(0).max(now_in));
    }
}
