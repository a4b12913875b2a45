//! Agents' reports: audited, merged and kept, and only then let go of.

use super::{case::Case, io::Effect, shared::Shared};
use crate::{
    measure::{self, MergedInterval},
    model::events::{Level, RunEvent},
    plan::AgentIndex,
};
use mallard_protocol::{
    interval::{GroupState, IntervalReport},
    message::ToAgent,
};

impl Case {
    pub(super) fn on_interval(&mut self, agent: AgentIndex, report: IntervalReport) {
        let resume_at = report.sequence + 1;
        if report.sequence >= self.resume_at(agent) {
            self.take_in(agent, &report);
            self.shared.catch_up(agent, &report);
            self.shared.report_missing_groups(agent, &report);
            self.shared.effects.push(Effect::Keep { agent, report: Box::new(report) });
        }
        self.shared.send(agent, ToAgent::Collected { resume_at });
    }

    /// Takes in a report that has not been seen before. The case ends where it does not add up.
    pub(super) fn take_in(&mut self, agent: AgentIndex, report: &IntervalReport) {
        if !self.shared.account_for(agent, report) {
            self.give_up();
        }
    }
}

impl Shared {
    /// Audits and merges a report. Returns whether it adds up.
    fn account_for(&mut self, agent: AgentIndex, report: &IntervalReport) -> bool {
        self.agents[agent].intervals += 1;
        self.drain.interval(report);
        match self.collector.interval(measure::AgentIndex(agent), report) {
            Ok(merged) => {
                self.store(merged);
                true
            }
            Err(failure) => {
                // The collector keeps the failure; the verdict names it.
                self.emit(RunEvent::Note {
                    level: Level::Error,
                    source: self.plan.agents[agent].name.clone(),
                    text: failure.to_string(),
                });
                false
            }
        }
    }

    /// Says in the first interval which of the groups under `observe` are not there.
    fn report_missing_groups(&mut self, agent: AgentIndex, report: &IntervalReport) {
        if report.sequence > 0 {
            return;
        }
        for sample in report.groups.iter().filter(|group| group.state == GroupState::Missing) {
            let Some(group) = self.plan.observed_groups.get(sample.group.index()) else { continue };
            let text = format!("consumer group {group} does not exist (yet)");
            let source = self.plan.agents[agent].name.clone();
            self.emit(RunEvent::Note { level: Level::Warning, source, text });
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
}
