//! The clocks of a case's agents: when they are probed, and what of them is known.

use super::{shared::Shared, stage_id::StageId};
use crate::plan::AgentIndex;
use mallard_protocol::message::{Question, ToAgent};

impl Shared {
    /// The clock of an agent, where it is not this machine's.
    pub(super) fn clock_of(&self, agent: AgentIndex) -> Option<String> {
        let clock = &self.agents[agent].host.as_ref()?.boot_id;
        (*clock != self.context.boot_id).then(|| clock.clone())
    }

    /// Clocks that are not this machine's, each with an agent that can be asked for it.
    fn foreign_clocks(&self) -> std::collections::BTreeMap<String, AgentIndex> {
        let reachable = self.living().into_iter().filter(|agent| self.agents[*agent].connected);
        reachable.filter_map(|agent| Some((self.clock_of(agent)?, agent))).collect()
    }

    /// Asks for clocks that are due. Not once an end has begun: nothing is measured any more.
    pub(super) fn probe_clocks(&mut self) {
        if self.timing.stage >= StageId::Collecting {
            return;
        }
        for (clock, agent) in self.foreign_clocks() {
            if self.clocks.is_due(&clock, self.now_us) {
                let request = self.questions.probe(agent);
                let in_load = self.load.start_clock_us.is_some();
                self.clocks.asked(&clock, request, self.now_us, in_load);
                self.send(agent, ToAgent::Ask { request, question: Question::Clock });
            }
        }
    }

    /// Tells an agent the common start.
    pub(super) fn send_start(&mut self, agent: AgentIndex) {
        if let Some(start) = self.load.start_clock_us {
            self.send(agent, ToAgent::Start { at_clock_us: self.agent_clock(agent, start) });
        }
    }

    /// Translates a moment of this machine's clock to an agent's. Agents of one kernel share
    /// `CLOCK_MONOTONIC`; what others are ahead was settled before the common start.
    fn agent_clock(&self, agent: AgentIndex, at_us: u64) -> u64 {
        let settled = self.clock_of(agent).and_then(|clock| self.clocks.settled_of(&clock));
        settled.map_or(at_us, |offset| at_us.saturating_add_signed(offset.ahead_us))
    }

    /// How wrong what is known of an agent's clock against this machine's may be; `None` if it is not
    /// known.
    pub(super) fn clock_error_of(&self, agent: AgentIndex) -> Option<u64> {
        let clock = &self.agents[agent].host.as_ref()?.boot_id;
        if *clock == self.context.boot_id { Some(0) } else { self.clocks.error_of(clock) }
    }

    /// How wrong the difference of two agents' run clocks may be; `None` if it is not known.
    pub(super) fn clock_error_us(&self) -> Option<u64> {
        let hosts = self.agents.iter().filter_map(|agent| agent.host.as_ref());
        let clocks = hosts.map(|host| {
            let clock = host.boot_id.as_str();
            (clock, clock == self.context.boot_id)
        });
        self.clocks.error_us(clocks)
    }
}
