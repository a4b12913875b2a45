//! Channels that break and come back while the case goes on.
//!
//! Invariant: whatever an agent was told over a channel that broke is told again over the next one. An
//! agent carries out every order once, so saying it twice does no harm.

use super::{
    case::{Case, Stage},
    ending::{FINISH_WITHIN, LOG_LIMIT_BYTES},
    io::AgentIndex,
};
use crate::archive::model::Cut;
use mallard_protocol::message::ToAgent;

impl Case {
    /// Notes that an agent is on its own.
    pub(super) fn begin_cut(&mut self, agent: AgentIndex) {
        let Some(from_us) = self.run_clock_us().filter(|_| self.stage < Stage::Collecting) else {
            return;
        };
        let agent = Some(self.plan.agents[agent].name.clone());
        self.cuts.push(Cut { agent, from_us, until_us: None });
    }

    /// Notes that it is not any more.
    pub(super) fn end_cut(&mut self, agent: AgentIndex) {
        let name = Some(&self.plan.agents[agent].name);
        let until_us = self.start_clock_us.map(|start| self.now_us.saturating_sub(start));
        let open = self.cuts.iter_mut().rev().find(|cut| cut.agent.as_ref() == name);
        if let Some(cut) = open.filter(|cut| cut.until_us.is_none()) {
            cut.until_us = until_us;
        }
    }

    /// Says again what may have been lost with a channel.
    pub(super) fn repeat_orders(&mut self, agent: AgentIndex) {
        let questions = self.questions.iter().filter(|(_, (asked, _))| *asked == agent);
        let again: Vec<_> =
            questions.map(|(request, (_, question))| (*request, question.clone())).collect();
        for (request, question) in again {
            self.send(agent, ToAgent::Ask { request, question });
        }
        // An agent that runs has been prepared; and one that only hands in what another left must not be.
        let running = self.start_clock_us.is_some() || self.agents[agent].prepared;
        if let Some(assignment) = self.assignments.get(agent).filter(|_| !running) {
            let assignment = Box::new(assignment.clone());
            self.send(agent, ToAgent::Prepare(assignment));
        }
        if self.trustee == Some(agent) {
            self.entrust(agent);
        }
        self.repeat_takeovers(agent);
        if self.load_stopped_us.is_some() {
            self.send(agent, ToAgent::StopLoad);
        }
        match self.stage {
            Stage::Probing if self.prober() == Some(agent) => {
                let topics = self.topics_to_probe();
                self.send(agent, ToAgent::Probe { topics });
            }
            Stage::Finishing => {
                let within_ms = u64::try_from(FINISH_WITHIN.as_millis()).unwrap_or(u64::MAX);
                self.send(agent, ToAgent::Finish { within_ms });
            }
            Stage::Collecting if !self.agents[agent].log_done => {
                self.send(agent, ToAgent::SendLog { limit_bytes: LOG_LIMIT_BYTES as u64 });
            }
            Stage::Exiting => self.send(agent, ToAgent::Exit { keep_folder: false }),
            _ => {}
        }
    }
}
