//! Times in which this process did not run: its machine slept, or it was stopped.
//!
//! Invariant: nobody is judged by such a time. Agents went on, and each is tried at least once before anything is
//! said of it.

use super::{case::Case, shared::Shared, stage_id::StageId};
use crate::model::events::{Level, RunEvent};

/// A time without this process that is reported. The rest of it is no more than a busy machine.
const TOLD_HELD_UP_US: u64 = 2_000_000;

impl Case {
    /// Whether time in which this machine sleeps passes for the load: no agent sleeps along.
    #[must_use]
    pub fn goes_on_while_we_sleep(&self) -> bool {
        let mut hosts = self.shared.agents.iter().filter_map(|agent| agent.host.as_ref());
        self.has_started() && hosts.all(|host| host.boot_id != self.shared.context.boot_id)
    }
}

impl Shared {
    /// Nothing could be heard or done in that time: deadlines are about the rest.
    pub(super) fn on_slept(&mut self, us: u64) {
        self.excuse(us);
        self.clocks.start_over(self.now_us);
        self.emit(RunEvent::Note {
            level: Level::Warning,
            source: "this machine".to_owned(),
            text: format!("it slept for {} s; the load went on", us / 1_000_000),
        });
    }

    /// The same where only this process did not run: the lid was open, and it was stopped or starved.
    pub(super) fn on_held_up(&mut self, us: u64) {
        self.excuse(us);
        if us >= TOLD_HELD_UP_US
            && (StageId::Running..StageId::Collecting).contains(&self.timing.stage)
        {
            self.emit(RunEvent::Note {
                level: Level::Warning,
                source: "this machine".to_owned(),
                text: format!(
                    "mallard did not run for {:.1} s (stopped, or out of CPU); the load went on",
                    us as f64 / 1e6
                ),
            });
        }
    }

    /// Nobody is judged by time in which nothing could be heard: deadlines begin again where they were, and
    /// the silence of agents from now on, so that each is tried at least once.
    fn excuse(&mut self, us: u64) {
        self.timing.deadline_us = self.timing.deadline_us.saturating_add(us);
        for agent in self.living() {
            let known = &mut self.agents[agent];
            if known.was_heard() {
                known.heard_us = self.now_us;
            }
        }
    }
}
