//! From the end of the load to the last agent's exit: flush, collect, judge, and only then tear down.

use super::{
    case::Case,
    io::{Effect, Judged, Totals},
    stage_id::StageId,
};
use crate::{
    clock::micros,
    measure::{AgentIndex, Collector},
    verdict::{self, Trouble},
};
use mallard_protocol::message::ToAgent;
use std::time::Duration;

/// What agents that have flushed and closed may take beyond that time to hand in their last interval.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long agents may take to close their clients where there is nothing to flush, or nobody wants to wait.
pub(super) const CLOSING: Duration = Duration::from_secs(2);

/// An agent's log comes home up to this size; of a longer one, head and tail.
pub(super) const LOG_LIMIT_BYTES: usize = 4 * 1024 * 1024;

impl Case {
    pub(super) fn finish_agents(&mut self) {
        self.finish_agents_within(self.plan.deadlines.finish);
    }

    /// Has agents flush and close within less than `deadlines.finish`, where nothing was measured or nobody
    /// wants to wait.
    pub(super) fn finish_agents_within(&mut self, within: Duration) {
        let within = within.min(self.plan.deadlines.finish);
        self.enter(StageId::Finishing, within + LAST_WORDS);
        self.send_all(&ToAgent::Finish { within_ms: micros(within) / 1_000 });
    }

    /// How long that may take until the last agent has said that it did.
    pub(super) fn finish_limit(&self) -> Duration {
        self.plan.deadlines.finish + LAST_WORDS
    }

    /// What agents are told when all is flushed and read.
    pub(super) fn finish_order(&self) -> ToAgent {
        ToAgent::Finish { within_ms: micros(self.plan.deadlines.finish) / 1_000 }
    }

    pub(super) fn on_finished(&mut self, agent: usize, client_queue: u64) {
        if let Some(why) = self.agents[agent].heir_of.clone() {
            return self.on_gone(agent, why);
        }
        self.agents[agent].finished = Some(client_queue);
        let merged = self.collector.agent_finished(AgentIndex(agent));
        self.store(merged);
    }

    pub(super) fn while_finishing(&mut self) {
        let waiting = self.living().into_iter().any(|agent| self.agents[agent].finished.is_none());
        if waiting && !self.is_late() {
            return;
        }
        // Whoever has asked twice, or ended it before the load, knows that something is cut short.
        if waiting && self.stops < 2 && self.start_clock_us.is_some() {
            self.troubles.push(Trouble::Deadline {
                step: self.stage_name().to_owned(),
                progress: format!("still waiting for {}", self.waiting_for()),
                within_us: micros(self.plan.deadlines.finish),
            });
        }
        self.collect();
    }

    pub(super) fn collect(&mut self) {
        if self.stops >= 2 {
            // Nobody waits for logs any more.
            return self.enter(StageId::Collecting, Duration::ZERO);
        }
        self.enter(StageId::Collecting, self.plan.deadlines.collect);
        for agent in self.living() {
            if self.agents[agent].connected {
                self.send(agent, ToAgent::SendLog { limit_bytes: LOG_LIMIT_BYTES as u64 });
            } else {
                self.agents[agent].log_done = true;
            }
        }
    }

    pub(super) fn while_collecting(&mut self) {
        let waiting = self.living().into_iter().any(|agent| !self.agents[agent].log_done);
        if waiting && self.now_us < self.deadline_us {
            return;
        }
        self.judge();
        if self.stops >= 2 {
            self.kill_unfinished();
        }
        self.delete();
    }

    /// Judges the case. Results are safe before anything is torn down.
    fn judge(&mut self) {
        let merged = self.collector.flush();
        self.store(merged);
        let collector = std::mem::replace(&mut self.collector, Collector::new(&self.plan));
        let measured = collector.conclude(&self.log);
        let totals = Totals::of(&measured.whole);
        let judgement = verdict::judge(&self.plan, measured, &self.facts());
        self.effects.push(Effect::Judged(Box::new(Judged { judgement, totals })));
    }

    pub(super) fn while_exiting(&mut self) {
        let late = self.now_us >= self.deadline_us;
        if self.linked && !self.living().is_empty() && !late {
            return;
        }
        for agent in self.living() {
            if let Some(host) = &self.agents[agent].host {
                let pid = host.pid;
                self.effects.push(Effect::Kill { agent, pid });
            }
        }
        self.enter(StageId::Done, Duration::ZERO);
        self.effects.push(Effect::Done);
    }
}
