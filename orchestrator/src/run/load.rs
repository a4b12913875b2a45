//! The load and the drain: phases are announced, consumers catch up.

use super::{case::Case, io::Effect, stage_id::StageId, stopping::STOPPED_DRAIN};
use crate::{clock::micros, measure, model::events::RunEvent, verdict::Trouble};
use mallard_protocol::schedule::PhaseKind;
use std::time::Duration;

impl Case {
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
            self.enter(StageId::Draining, within);
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
}
