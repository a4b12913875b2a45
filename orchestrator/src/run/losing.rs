//! Agents that are lost: who is given up, and whether the case goes on without.

use super::{case::Case, shared::Shared, stage_id::StageId};
use crate::{
    clock::micros, measure, model::events::RunEvent, plan::AgentIndex,
    scenario::cluster::OnAgentLoss, verdict::RunError,
};
use mallard_protocol::message::ToAgent;

/// What the loss of an agent means for its case.
enum Loss {
    /// It goes on.
    Bearable,
    /// It ends, as the scenario asks for.
    Aborts,
    /// It cannot go on.
    Fatal(RunError),
}

impl Case {
    /// Gives up agents to which no channel could be opened for as long as they go on alone.
    pub(super) fn look_for_the_unreachable(&mut self) {
        for (agent, silent_us) in self.shared.unreachable() {
            let seconds = silent_us as f64 / 1e6;
            self.shared.agents[agent].unreachable = true;
            self.on_gone(agent, format!("no channel to it for {seconds:.1} s"));
        }
    }

    /// An agent is lost for good.
    pub(super) fn on_gone(&mut self, agent: AgentIndex, cause: String) {
        let case = &mut self.shared;
        if case.agents[agent].gone.is_some() || case.timing.stage >= StageId::Exiting {
            case.agents[agent].gone.get_or_insert(cause);
            return;
        }
        match case.lose(agent, cause) {
            Loss::Bearable => {}
            Loss::Aborts => self.give_up(),
            Loss::Fatal(error) => self.fail(error),
        }
    }

    /// An agent's process has ended. Another one hands in what it left, and then it is lost; or had finished,
    /// and is not.
    pub(super) fn on_ended(&mut self, agent: AgentIndex, cause: String, was_stuck: bool) {
        if self.shared.agents[agent].gone.is_some() {
            return;
        }
        self.on_channel(agent, false);
        let case = &mut self.shared;
        case.agents[agent].heard_us = case.now_us;
        if was_stuck && case.timing.stage < StageId::Exiting {
            let cause = format!("{cause}; {}", case.last_progress(agent));
            case.report_loss(agent, &cause);
        }
        case.agents[agent].ended = Some(cause);
    }

    /// An agent has flushed and closed its clients, and handed in its last interval.
    pub(super) fn on_finished(&mut self, agent: AgentIndex, client_queue: u64) {
        if let Some(why) = self.shared.agents[agent].successor_of.clone() {
            return self.on_gone(agent, why);
        }
        self.shared.agents[agent].finished = Some(client_queue);
        let merged = self.shared.collector.agent_finished(measure::AgentIndex(agent));
        self.shared.store(merged);
    }
}

impl Shared {
    /// Agents to which no channel could be opened for longer than a lease, with for how long: by then they have
    /// ended their load. One that was never heard is not theirs to miss. Until then a broken channel is no
    /// loss; and an agent whose host says that it is gone, or does not answer, is reported by its link.
    fn unreachable(&self) -> Vec<(AgentIndex, u64)> {
        if self.timing.stage <= StageId::Connecting || self.timing.stage >= StageId::Exiting {
            return Vec::new();
        }
        let limit_us = micros(self.plan.lease.max(self.plan.deadlines.agent_silence));
        let silent = self.living().into_iter().filter_map(|agent| {
            let known = &self.agents[agent];
            let silent_us = self.now_us.saturating_sub(known.heard_us);
            let is_given_up = !known.connected && known.was_heard() && silent_us > limit_us;
            is_given_up.then_some((agent, silent_us))
        });
        silent.collect()
    }

    /// Goes on without an agent, if that is possible.
    fn lose(&mut self, agent: AgentIndex, cause: String) -> Loss {
        let at_us = self.run_clock_us();
        let cause = format!("{cause}; {}", self.last_progress(agent));
        let known = &mut self.agents[agent];
        known.gone = Some(cause.clone());
        known.gone_us = Some(self.now_us);
        known.lost_at_us = at_us;
        if known.successor_of.is_some() {
            // It has handed in everything, and hears so before it hears this. Its log is collected in the end.
            self.send(agent, ToAgent::Exit { keep_folder: true });
        } else {
            // It may only be stopped or stuck; nothing of it is to come back while others are judged.
            self.kill(agent);
        }
        self.report_loss(agent, &cause);
        self.questions.forget(agent);
        let merged = self.collector.agent_lost(measure::AgentIndex(agent), at_us.unwrap_or(0));
        self.store(merged);
        if let Some(assignment) = self.assignments.get(agent) {
            self.drain.forget(assignment);
        }
        let Some(why) = self.cannot_do_without(agent) else {
            self.replace(agent, &cause);
            return Loss::Bearable;
        };
        if self.plan.on_agent_loss == OnAgentLoss::Abort {
            return Loss::Aborts;
        }
        let name = &self.plan.agents[agent].name;
        let text = format!("{name} was lost, and the case cannot go on: {why}");
        Loss::Fatal(RunError::Harness { text })
    }

    /// Others do what an agent did for the case and for its load.
    fn replace(&mut self, agent: AgentIndex, cause: &str) {
        if agent == self.observer {
            self.hand_over_observing();
        }
        self.entrust_another(agent);
        self.respread(agent, cause);
    }

    fn report_loss(&mut self, agent: AgentIndex, cause: &str) {
        if std::mem::replace(&mut self.agents[agent].loss_is_reported, true) {
            return;
        }
        let (agent, at_us) = (self.plan.agents[agent].name.clone(), self.run_clock_us());
        self.emit(RunEvent::AgentLost { agent, cause: cause.to_owned(), at_us });
    }

    /// The agent that looked at end offsets, groups and brokers is lost: another one does from here on, or
    /// lag would end.
    fn hand_over_observing(&mut self) {
        let topics = self.plan.observed_topics();
        let groups = self.plan.observed_groups.clone();
        let Some(next) = self.admin() else { return };
        self.observer = next;
        self.send(next, ToAgent::Observe { topics, groups });
    }

    /// Why the case cannot go on when this agent is lost; `None` if it can.
    fn cannot_do_without(&self, agent: AgentIndex) -> Option<&'static str> {
        let embedded = self.plan.kafka.is_embedded();
        if self.plan.on_agent_loss == OnAgentLoss::Abort {
            Some("the scenario says `on_agent_loss: abort`")
        } else if embedded && self.plan.agents[agent].carries_broker {
            Some("it carried the embedded broker")
        } else if self.load.start_clock_us.is_none() {
            Some("the load had not started")
        } else if self.living().is_empty() {
            Some("no agent is left")
        } else {
            None
        }
    }

    fn last_progress(&self, agent: AgentIndex) -> String {
        let stage = self.timing.stage.words();
        match (self.run_clock_us(), self.agents[agent].intervals) {
            (Some(at_us), intervals) => {
                let seconds = at_us as f64 / 1e6;
                format!(
                    "last progress: {intervals} intervals reported, {seconds:.1} s into the load"
                )
            }
            (None, _) => format!("last progress: {stage}, before the load"),
        }
    }
}
