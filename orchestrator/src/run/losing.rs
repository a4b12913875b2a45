//! Agents that are lost: who is given up, and whether the case goes on without.

use super::{case::Case, io::Effect, stage_id::StageId};
use crate::{
    clock::micros,
    measure,
    model::events::RunEvent,
    plan::AgentIndex,
    scenario::cluster::{KafkaPlan, OnAgentLoss},
    verdict::Trouble,
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

impl Case {
    /// Gives up agents to which no channel could be opened for as long as they go on alone: by then they
    /// have ended their load. One that was never heard is not theirs to miss. Until then a broken channel is no
    /// loss; and an agent whose host says that it
    /// is gone, or does not answer, is told by its link.
    pub(super) fn look_for_the_unreachable(&mut self) {
        if self.stage <= StageId::Connecting || self.stage >= StageId::Exiting {
            return;
        }
        let limit = micros(self.plan.lease.max(self.plan.deadlines.agent_silence));
        for agent in self.living() {
            let known = &self.agents[agent];
            let silent_us = self.now_us.saturating_sub(known.heard_us);
            if !known.connected && known.was_heard() && silent_us > limit {
                let seconds = silent_us as f64 / 1e6;
                self.agents[agent].unreachable = true;
                self.on_gone(agent, format!("no channel to it for {seconds:.1} s"));
            }
        }
    }

    /// How long a channel may be silent before another one is opened. Less than `agent_silence`: the
    /// rest is for the host to say whether the agent is there.
    #[must_use]
    pub fn channel_silence(&self) -> Duration {
        self.plan.deadlines.agent_silence * 3 / 4
    }

    pub(super) fn on_gone(&mut self, agent: AgentIndex, cause: String) {
        if self.agents[agent].gone.is_some() || self.stage >= StageId::Exiting {
            self.agents[agent].gone.get_or_insert(cause);
            return;
        }
        let at_us = self.run_clock_us();
        let cause = format!("{cause}; {}", self.last_progress(agent));
        let known = &mut self.agents[agent];
        known.gone = Some(cause.clone());
        known.gone_us = Some(self.now_us);
        known.lost_at_us = at_us;
        if known.heir_of.is_some() {
            // It has handed in everything, and hears so before it hears this. The log comes home in the end.
            self.send(agent, ToAgent::Exit { keep_folder: true });
        } else if let Some(host) = &known.host {
            // It may only be stopped or stuck; nothing of it is to come back while others are judged.
            let pid = host.pid;
            self.effects.push(Effect::Kill { agent, pid });
        }
        let name = self.plan.agents[agent].name.clone();
        self.tell_of_loss(agent, &cause);
        self.forget_questions_of(agent);
        let merged = self.collector.agent_lost(measure::AgentIndex(agent), at_us.unwrap_or(0));
        self.store(merged);
        if let Some(assignment) = self.assignments.get(agent) {
            self.drain.forget(assignment);
        }
        match self.cannot_do_without(agent) {
            None => {
                if agent == self.observer {
                    self.hand_over_observing();
                }
                self.entrust_another(agent);
                self.respread(agent, &cause);
            }
            Some(_) if self.plan.on_agent_loss == OnAgentLoss::Abort => self.give_up(),
            Some(why) => {
                let text = format!("{name} was lost, and the case cannot go on: {why}");
                self.fail(Trouble::Harness { text });
            }
        }
    }

    /// An agent's process has ended. Another one hands in what it left, and then it is lost; or had finished,
    /// and is not.
    pub(super) fn on_ended(&mut self, agent: AgentIndex, cause: String, was_stuck: bool) {
        if self.agents[agent].gone.is_some() {
            return;
        }
        self.on_channel(agent, false);
        self.agents[agent].heard_us = self.now_us;
        if was_stuck && self.stage < StageId::Exiting {
            let cause = format!("{cause}; {}", self.last_progress(agent));
            self.tell_of_loss(agent, &cause);
        }
        self.agents[agent].ended = Some(cause);
    }

    fn tell_of_loss(&mut self, agent: AgentIndex, cause: &str) {
        if std::mem::replace(&mut self.agents[agent].loss_is_told, true) {
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
        let embedded = matches!(self.plan.kafka, KafkaPlan::Embedded { .. });
        if self.plan.on_agent_loss == OnAgentLoss::Abort {
            Some("the scenario says `on_agent_loss: abort`")
        } else if embedded && self.plan.agents[agent].carries_broker {
            Some("it carried the embedded broker")
        } else if self.start_clock_us.is_none() {
            Some("the load had not started")
        } else if self.living().is_empty() {
            Some("no agent is left")
        } else {
            None
        }
    }

    fn last_progress(&self, agent: AgentIndex) -> String {
        let stage = self.stage_name();
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
