//! Agents flush and close their clients, and cut their last interval.

use super::collecting::Collecting;
use crate::{
    clock::micros,
    plan::AgentIndex,
    run::{
        agent::Agent,
        shared::{LAST_INTERVAL, Shared},
        stage::{self, CLOSING, Next, Stage},
        stage_id::StageId,
    },
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// Agents close, and cut their last interval.
#[derive(Debug)]
pub(super) struct Finishing;

impl Finishing {
    /// All is flushed and read.
    pub(super) fn enter(case: &mut Shared) -> Next {
        Self::within(case, case.plan.deadlines.finish)
    }

    /// Has agents flush and close within less than `deadlines.finish`, where nothing was measured or nobody
    /// wants to wait.
    pub(super) fn within(case: &mut Shared, within: Duration) -> Next {
        let within = within.min(case.plan.deadlines.finish);
        case.enter(StageId::Finishing, within + LAST_INTERVAL);
        case.send_all(&finish(within));
        Some(Box::new(Self))
    }

    /// The load, or what comes after it, ends at once.
    pub(super) fn broken_off(case: &mut Shared, within: Duration) -> Next {
        case.stop_load();
        Self::within(case, within)
    }
}

fn finish(within: Duration) -> ToAgent {
    ToAgent::Finish { within_ms: micros(within) / 1_000 }
}

impl Stage for Finishing {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let waiting = case.agents.iter().any(Agent::has_to_finish);
        if waiting && !case.is_late() {
            return None;
        }
        // Whoever has asked twice, or ended it before the load, knows that something is cut short.
        if waiting && case.stop.times < 2 && case.load.start_clock_us.is_some() {
            let error = stage::late(self, case, case.plan.deadlines.finish);
            case.run_errors.push(error);
        }
        Collecting::enter(case)
    }

    fn waiting_for(&self, case: &Shared) -> String {
        format!("{} to flush and close", case.names_where(Agent::has_to_finish))
    }

    fn hurry(&mut self, case: &mut Shared) -> Next {
        let soon_us = case.now_us + micros(CLOSING);
        case.timing.deadline_us = case.timing.deadline_us.min(soon_us);
        None
    }

    fn time_to_catch_up(&self, case: &Shared) -> Duration {
        case.finish_limit()
    }

    fn repeat(&self, case: &mut Shared, agent: AgentIndex) {
        case.send(agent, finish(case.plan.deadlines.finish));
    }
}
