//! What the controller does at moments of the load: one timeline of actions, on the run's clock.
//!
//! Phases are announced by it, and faults begun. That a fault ends is no action: its guard undoes it at its own time,
//! whether this process lives or not.
//!
//! Invariant: each action is carried out once, in order of time, and none before its time. Where an action has to
//! wait, those behind it do, too.

use super::shared::Shared;
use crate::{model::events::RunEvent, plan::CasePlan};
use std::collections::VecDeque;

/// How long after the common start agents that have not said how late they began are waited for, in
/// microseconds.
const STARTED_WITHIN_US: u64 = 200_000;

/// How long before a fault its guard is to stand ready, in microseconds: a guard starts a twin, and asks a container
/// engine.
const READY_AHEAD_US: u64 = 2_000_000;

/// What is done.
#[derive(Debug, PartialEq, Eq)]
enum What {
    /// Announces the start of the load, with how far apart agents began.
    AnnounceLoad,
    /// Announces a phase, by its place in the timeline of phases.
    AnnouncePhase(usize),
    /// Has the guard of a fault stand ready, by its place in the plan.
    ReadyFault(usize),
    /// Begins a fault, by its place in the plan. Its guard undoes it at its own time.
    BeginFault(usize),
}

/// Something that is done at a moment of the load.
#[derive(Debug, PartialEq, Eq)]
struct Action {
    at_us: u64,
    what: What,
}

/// Actions that lie ahead, in order of time.
#[derive(Debug, Default)]
pub(super) struct Actions(VecDeque<Action>);

impl Actions {
    /// All actions of a load.
    pub(super) fn of(plan: &CasePlan) -> Self {
        let load = Action { at_us: 0, what: What::AnnounceLoad };
        let phases = plan.timeline.0.iter().enumerate();
        let phases = phases.map(|(at, phase)| (phase.start_us, What::AnnouncePhase(at)));
        let phases = phases.map(|(at_us, what)| Action { at_us, what });
        let faults = || plan.faults.iter().enumerate();
        let ready = faults().map(|(at, fault)| Action {
            at_us: fault.at_us.saturating_sub(READY_AHEAD_US),
            what: What::ReadyFault(at),
        });
        let begin =
            faults().map(|(at, fault)| Action { at_us: fault.at_us, what: What::BeginFault(at) });
        let mut all: Vec<_> = [load].into_iter().chain(phases).chain(ready).chain(begin).collect();
        // What is due at one moment stays in order.
        all.sort_by_key(|action| action.at_us);
        Self(all.into())
    }

    /// Those that lie ahead of a moment: an earlier controller has carried out the others.
    pub(super) fn after(plan: &CasePlan, at_us: u64) -> Self {
        let mut actions = Self::of(plan);
        actions.0.retain(|action| action.at_us > at_us);
        actions
    }

    /// Carries out what is due.
    pub(super) fn carry_out(&mut self, case: &mut Shared, at_us: u64) {
        while self.0.front().is_some_and(|action| action.is_due(case, at_us)) {
            if let Some(action) = self.0.pop_front() {
                action.carry_out(case);
            }
        }
    }
}

impl Action {
    fn is_due(&self, case: &Shared, at_us: u64) -> bool {
        let is_ready = match self.what {
            What::AnnounceLoad => {
                let began = case.agents.iter().filter(|agent| agent.start_late_us.is_some());
                began.count() >= case.living().len() || at_us >= STARTED_WITHIN_US
            }
            What::AnnouncePhase(_) | What::ReadyFault(_) | What::BeginFault(_) => true,
        };
        is_ready && at_us >= self.at_us
    }

    fn carry_out(&self, case: &mut Shared) {
        match self.what {
            What::AnnounceLoad => {
                let late = || case.agents.iter().filter_map(|agent| agent.start_late_us);
                let spread_us = late().max().unwrap_or(0) - late().min().unwrap_or(0);
                case.emit(RunEvent::LoadStarted { case: case.plan.name.clone(), spread_us });
            }
            What::ReadyFault(fault) => case.ready_fault(fault),
            What::BeginFault(fault) => case.begin_fault(fault),
            What::AnnouncePhase(phase) => {
                let name = case.plan.timeline.0.get(phase).map(|phase| phase.name.clone());
                if let Some(phase) = name {
                    case.emit(RunEvent::PhaseStarted { phase, at_us: self.at_us });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;

    #[test]
    fn actions_come_in_order_of_time_and_those_of_an_earlier_controller_not_again() {
        let plan = Shape::default().plan();
        let all = Actions::of(&plan).0;
        assert_eq!(all.len(), plan.timeline.0.len() + 1);
        assert_eq!(all[0].what, What::AnnounceLoad);
        assert!(all.iter().is_sorted_by_key(|action| action.at_us));
        let second_us = plan.timeline.0[1].start_us;
        let before = Actions::after(&plan, second_us - 1).0;
        assert_eq!(before[0].what, What::AnnouncePhase(1));
        let after = Actions::after(&plan, second_us).0;
        assert_eq!(after[0].what, What::AnnouncePhase(2));
    }
}
