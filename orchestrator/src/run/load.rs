//! The load and the drain: intervals come in, agents may be lost, consumers catch up.

use super::{
    case::{Case, Stage, micros},
    io::Effect,
    signals::TERMINATE,
};
use crate::{
    measure::{self, MergedInterval},
    model::events::RunEvent,
    plan::AgentIndex,
    scenario::cluster::{KafkaPlan, OnAgentLoss},
    verdict::Trouble,
};
use mallard_protocol::{
    interval::{GroupState, IntervalReport},
    message::ToAgent,
    schedule::PhaseKind,
};
use std::time::Duration;

/// How long a drain may still take when somebody asked to stop.
const STOPPED_DRAIN: Duration = Duration::from_secs(10);

impl Case {
    pub(super) fn on_interval(&mut self, agent: AgentIndex, report: IntervalReport) {
        let resume_at = report.sequence + 1;
        if report.sequence >= self.collector.resume_at(measure::AgentIndex(agent)) {
            self.take_in(agent, &report);
            self.catch_up(agent, &report);
            self.tell_missing_groups(agent, &report);
            self.effects.push(Effect::Keep { agent, report: Box::new(report) });
        }
        self.send(agent, ToAgent::Collected { resume_at });
    }

    /// Takes in a report that has not been seen before.
    pub(super) fn take_in(&mut self, agent: AgentIndex, report: &IntervalReport) {
        self.agents[agent].intervals += 1;
        self.drain.interval(report);
        match self.collector.interval(measure::AgentIndex(agent), report) {
            Ok(merged) => self.store(merged),
            Err(failure) => {
                // The collector keeps the failure; the verdict names it.
                self.emit(RunEvent::Note {
                    level: "error".to_owned(),
                    source: self.plan.agents[agent].name.clone(),
                    text: failure.to_string(),
                });
                self.give_up();
            }
        }
    }

    /// Says in the first interval which of the groups under `observe` are not there.
    fn tell_missing_groups(&mut self, agent: AgentIndex, report: &IntervalReport) {
        if report.sequence > 0 {
            return;
        }
        for sample in report.groups.iter().filter(|group| group.state == GroupState::Missing) {
            let Some(group) = self.plan.observed_groups.get(sample.group.index()) else { continue };
            let text = format!("consumer group {group} does not exist (yet)");
            let source = self.plan.agents[agent].name.clone();
            self.emit(RunEvent::Note { level: "warning".to_owned(), source, text });
        }
    }

    pub(super) fn store(&mut self, merged: Vec<MergedInterval>) {
        for mut interval in merged {
            for event in std::mem::take(&mut interval.events) {
                self.emit(event);
            }
            self.emit(RunEvent::Interval(Box::new(interval.row.clone())));
            self.effects.push(Effect::Store(Box::new(interval)));
        }
    }

    pub(super) fn while_running(&mut self) {
        let Some(at_us) = self.run_clock_us() else { return };
        self.tell_phases(at_us);
        self.look_for_an_early_end();
        let end = self.load_stopped_us.unwrap_or_else(|| self.plan.timeline.load_end_us());
        if at_us >= end {
            // A load that is ended in order is judged, so what it sent has the time to arrive.
            let within = match self.load_stopped_us {
                Some(_) if !self.ends_in_order() => self.drain_limit().min(STOPPED_DRAIN),
                _ => self.drain_limit(),
            };
            self.enter(Stage::Draining, within);
        }
    }

    /// Announces the start of the load and of every phase, once.
    fn tell_phases(&mut self, at_us: u64) {
        if self.phase.is_none() {
            let late: Vec<_> = self.agents.iter().filter_map(|agent| agent.start_late_us).collect();
            let waiting = late.len() < self.living().len() && at_us < 200_000;
            if waiting {
                return;
            }
            let spread_us = late.iter().max().unwrap_or(&0) - late.iter().min().unwrap_or(&0);
            self.emit(RunEvent::LoadStarted { case: self.plan.name.clone(), spread_us });
        }
        let now_in = self.plan.timeline.phase_at(at_us).index();
        let first = self.phase.map_or(0, |phase| phase + 1);
        for phase in first..=now_in {
            let Some(phase) = self.plan.timeline.0.get(phase) else { break };
            self.effects.push(Effect::Emit(RunEvent::PhaseStarted {
                phase: phase.name.clone(),
                at_us: phase.start_us,
            }));
        }
        self.phase = Some(self.phase.unwrap_or(0).max(now_in));
    }

    pub(super) fn drain_limit(&self) -> Duration {
        let drains = self.plan.timeline.0.iter().filter(|phase| phase.kind == PhaseKind::Drain);
        Duration::from_micros(drains.map(|phase| phase.end_us - phase.start_us).sum())
    }

    pub(super) fn while_draining(&mut self) {
        if let Some(at_us) = self.run_clock_us() {
            self.tell_phases(at_us);
        }
        let late = self.is_late();
        let over = self.all_told() && self.has_drained() && self.collector.came_through();
        if over {
            self.drained_at_us = self.run_clock_us();
        }
        // Agents that have closed their clients, as they do when nobody was there for too long, will
        // not send or receive any more.
        if over || late || self.have_all_finished() {
            self.flush_producers();
        }
    }

    fn has_drained(&self) -> bool {
        self.drain.is_over(|consumer| self.collector.has_read_all(consumer))
    }

    /// Whether every agent that lives has told of all of its load. Before that, accounts in which nothing
    /// is missing only say that the last seconds are not in them.
    fn all_told(&self) -> bool {
        let end_us = self.load_stopped_us.unwrap_or_else(|| self.plan.timeline.load_end_us());
        let living = self.living().into_iter().map(measure::AgentIndex);
        living.map(|agent| self.collector.progress_us(agent)).all(|told_us| told_us >= end_us)
    }

    /// Whether every agent that lives has flushed and closed its clients.
    pub(super) fn have_all_finished(&self) -> bool {
        self.living().into_iter().all(|agent| self.agents[agent].finished.is_some())
    }

    /// Agents end their load by themselves when nobody was there for as long as the lease.
    fn look_for_an_early_end(&mut self) {
        if self.load_stopped_us.is_some() || self.living().is_empty() || !self.have_all_finished() {
            return;
        }
        let told = self.living().into_iter().map(measure::AgentIndex);
        let until_us = told.map(|agent| self.collector.progress_us(agent)).min().unwrap_or(0);
        self.load_stopped_us = Some(until_us);
        let planned_us = self.plan.timeline.load_end_us();
        if until_us < planned_us {
            let lease_us = micros(self.plan.lease);
            self.troubles.push(Trouble::Abandoned { until_us, planned_us, lease_us });
        }
    }

    /// Gives up agents to which no channel could be opened for as long as they go on alone: by then they
    /// have ended their load. One that was never heard is not theirs to miss. Until then a broken channel is no
    /// loss; and an agent whose host says that it
    /// is gone, or does not answer, is told by its link.
    pub(super) fn look_for_the_unreachable(&mut self) {
        if self.stage <= Stage::Connecting || self.stage >= Stage::Exiting {
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
        if self.agents[agent].gone.is_some() || self.stage >= Stage::Exiting {
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
        if was_stuck && self.stage < Stage::Exiting {
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

    /// Whether the load was asked to end in order: once, by SIGTERM. Then the case is judged by what was
    /// measured until then.
    pub(super) fn ends_in_order(&self) -> bool {
        self.interrupted_by == Some(TERMINATE) && self.stops < 2 && self.start_clock_us.is_some()
    }

    /// Somebody wants an end. Once: the load stops, everything else follows in order. Twice: results
    /// are written from what is here and agents are killed.
    pub(super) fn on_stop(&mut self, times: u32, by: &'static str) {
        self.stops = times;
        if self.stage >= Stage::Deleting && times < 2 {
            return;
        }
        if self.interrupted_by.is_none() {
            self.emit(RunEvent::StopRequested { by: by.to_owned() });
            self.interrupted_by = Some(by);
        }
        match self.stage {
            Stage::Running if times < 2 => {
                self.send_all(&ToAgent::StopLoad);
                let at_us = self.run_clock_us().unwrap_or(0);
                self.load_stopped_us = Some(at_us);
                self.collector.stop(at_us);
            }
            Stage::Draining if times < 2 => {
                self.deadline_us = self.deadline_us.min(self.now_us + micros(STOPPED_DRAIN));
            }
            Stage::ReadingOn if times < 2 => self.shorten_reading(),
            stage if stage < Stage::Running => self.give_up(),
            _ if times >= 2 => self.hurry(),
            _ => {}
        }
    }
}
