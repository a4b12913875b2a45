//! Agents start and say hello, or answer again to a controller that has taken their load over.

use super::{
    brokers::{Reaching, StartingBroker},
    collecting::Collecting,
    finishing::Finishing,
    load::Running,
};
use crate::{
    model::result::Cut,
    run::{
        actions::Actions,
        shared::Shared,
        stage::{Next, Stage},
        stage_id::StageId,
    },
};
use std::time::Duration;

/// Agents start and say hello.
#[derive(Debug)]
pub(in crate::run) struct Connecting;

impl Connecting {
    pub(super) fn enter(case: &mut Shared) -> Next {
        case.enter(StageId::Connecting, case.plan.deadlines.connect);
        case.start_agents();
        Some(Box::new(Self))
    }
}

impl Stage for Connecting {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if !case.agents.iter().all(|agent| agent.host.is_some()) {
            return None;
        }
        let admin = case.admin()?;
        if let Some(embedded) = case.plan.kafka.as_embedded() {
            return StartingBroker::enter(case, admin, embedded);
        }
        // Of what runs in containers, whoever started them has said it.
        if let Some(connection) = case.plan.kafka.connection() {
            case.connections = vec![connection.clone(); case.agents.len()];
        }
        Reaching::enter(case)
    }

    fn waiting_for(&self, case: &Shared) -> String {
        format!("a hello from {}", case.names_where(|agent| agent.host.is_none()))
    }

    fn limit(&self, case: &Shared) -> Option<Duration> {
        Some(case.plan.deadlines.connect)
    }

    fn break_off(&mut self, case: &mut Shared, _: Duration) -> Next {
        Collecting::enter(case)
    }
}

/// The agents of a load that runs are waited for. One that does not answer in time may be well: its lease
/// decides, as after any cut.
#[derive(Debug)]
pub(in crate::run) struct Reconnecting {
    /// What an earlier controller has left to do.
    pub(in crate::run) actions: Actions,
}

impl Stage for Reconnecting {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let mut missing = case.living();
        missing.retain(|agent| !case.agents[*agent].connected);
        if !missing.is_empty() && case.now_us < case.timing.deadline_us {
            return None;
        }
        let gone_by = Duration::from_micros(case.run_clock_us().unwrap_or(0));
        let rest = case.plan.longest().saturating_sub(gone_by);
        let next = Running::enter(case, rest, std::mem::take(&mut self.actions));
        let absence = case.cuts.iter().rev().find(|cut| cut.agent.is_none());
        let from_us = absence.and_then(|cut| cut.until_us).unwrap_or(0);
        for agent in missing {
            let name = case.plan.agents[agent].name.clone();
            case.cuts.push(Cut { agent: Some(name), from_us, until_us: None });
            case.report_channel(agent, false);
        }
        if let Some(admin) = case.admin() {
            case.entrust(admin);
        }
        next
    }

    /// A load that was taken over runs, whether its agents have answered yet or not.
    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }
}
