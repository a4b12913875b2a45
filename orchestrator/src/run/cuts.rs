//! Channels that break and come back while the case goes on.
//!
//! Invariant: whatever an agent was told over a channel that broke is told again over the next one. An
//! agent carries out every order once, so saying it twice does no harm. An agent without a channel keeps what
//! it measures, and comes back with it or is given up when its lease has ended: until then no end that comes
//! by itself goes without it.

use super::{case::Case, shared::Shared, stage::CATCHING_UP, stage_id::StageId};
use crate::{
    clock::micros,
    model::{events::RunEvent, result::Cut},
    plan::AgentIndex,
};
use mallard_protocol::{interval::IntervalReport, message::ToAgent};
use std::time::Duration;

impl Case {
    pub(super) fn on_channel(&mut self, agent: AgentIndex, up: bool) {
        if up == self.shared.agents[agent].connected || self.shared.agents[agent].gone.is_some() {
            return;
        }
        self.shared.agents[agent].connected = up;
        match up {
            true => self.come_back(agent),
            false => self.shared.begin_cut(agent),
        }
        self.shared.report_channel(agent, up);
    }

    /// An agent that was out of reach is there again. It may only now read what is left, or hear that it is to
    /// close.
    pub(super) fn come_back(&mut self, agent: AgentIndex) {
        let case = &mut self.shared;
        case.agents[agent].heard_us = case.now_us;
        case.end_cut(agent);
        case.allow(self.stage.time_to_catch_up(case));
        case.repeat_orders(agent);
        self.stage.repeat(case, agent);
    }
}

impl Shared {
    /// Whether the time of the present stage is up. As long as an agent without a channel may be well, it is
    /// not, unless somebody wants an end or nothing can be kept any more.
    pub(super) fn is_late(&mut self) -> bool {
        if self.now_us < self.timing.deadline_us {
            return false;
        }
        let cut_off = self.cut_off();
        if cut_off.is_empty() || self.stop.by.is_some() || self.archive.has_failed {
            return true;
        }
        if !std::mem::replace(&mut self.waits_for_channels, true) {
            let names = self.names_of(cut_off);
            self.step(format!("waiting for {names}, out of reach, for as long as the lease"));
        }
        false
    }

    /// Agents that have not handed in everything, and to which there is no channel.
    fn cut_off(&self) -> Vec<AgentIndex> {
        let mut cut_off = self.living();
        cut_off.retain(|agent| {
            let known = &self.agents[*agent];
            !known.connected && known.finished.is_none() && known.was_heard()
        });
        cut_off
    }

    /// Gives an agent that hands in what it had kept time for the rest.
    pub(super) fn catch_up(&mut self, agent: AgentIndex, report: &IntervalReport) {
        let name = &self.plan.agents[agent].name;
        let was_kept = self.cuts.iter().any(|cut| {
            let is_its = cut.agent.as_ref().is_none_or(|of| of == name);
            is_its && cut.until_us.is_some_and(|until_us| report.end_us <= until_us)
        });
        if was_kept {
            self.allow(CATCHING_UP);
        }
    }

    /// Lets an end that came by itself take so long from now on at least; in all no longer than a lease and what
    /// it may take after that, however often a channel breaks.
    pub(super) fn allow(&mut self, within: Duration) {
        let ends = (StageId::Draining..=StageId::Finishing).contains(&self.timing.stage);
        if ends && self.stop.by.is_none() {
            let longest = self.plan.lease + self.drain_limit().max(self.finish_limit());
            let latest_us = self.timing.entered_us.saturating_add(micros(longest));
            let until_us = (self.now_us + micros(within)).min(latest_us);
            self.timing.deadline_us = self.timing.deadline_us.max(until_us);
        }
    }

    /// Tells of a channel that broke or is back.
    pub(super) fn report_channel(&mut self, agent: AgentIndex, up: bool) {
        if self.timing.stage < StageId::Exiting {
            self.emit(RunEvent::AgentChannel { agent: self.plan.agents[agent].name.clone(), up });
        }
    }

    /// Notes that an agent is on its own.
    pub(super) fn begin_cut(&mut self, agent: AgentIndex) {
        let Some(from_us) = self.run_clock_us().filter(|_| self.timing.stage < StageId::Collecting)
        else {
            return;
        };
        let agent = Some(self.plan.agents[agent].name.clone());
        self.cuts.push(Cut { agent, from_us, until_us: None });
    }

    /// Notes that it is not any more.
    pub(super) fn end_cut(&mut self, agent: AgentIndex) {
        let name = Some(&self.plan.agents[agent].name);
        let until_us = self.load.start_clock_us.map(|start| self.now_us.saturating_sub(start));
        let open = self.cuts.iter_mut().rev().find(|cut| cut.agent.as_ref() == name);
        if let Some(cut) = open.filter(|cut| cut.until_us.is_none()) {
            cut.until_us = until_us;
        }
    }

    /// Says again what may have been lost with a channel, but for what the present stage has said.
    pub(super) fn repeat_orders(&mut self, agent: AgentIndex) {
        for (request, question) in self.questions.again(agent) {
            self.send(agent, ToAgent::Ask { request, question });
        }
        // An agent that runs has been prepared; and one that only hands in what another left must not be.
        let running = self.load.start_clock_us.is_some() || self.agents[agent].prepared;
        if let Some(assignment) = self.assignments.get(agent).filter(|_| !running) {
            let assignment = Box::new(assignment.clone());
            self.send(agent, ToAgent::Prepare(assignment));
        }
        if self.trustee == Some(agent) {
            self.entrust(agent);
        }
        self.repeat_takeovers(agent);
        if self.load.stopped_us.is_some() {
            self.send(agent, ToAgent::StopLoad);
        }
    }
}
