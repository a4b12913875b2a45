//! How far a case is: its stage, since when, until when, and where the time went.

use super::stage_id::StageId;
use crate::{clock::micros, model::result::TimeSpent};
use std::time::Duration;

/// How far a case is. Times are on this machine's monotonic clock.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) stage: StageId,
    /// When the present stage was entered.
    pub(super) entered_us: u64,
    /// When it is late.
    pub(super) deadline_us: u64,
    pub(super) spent: TimeSpent,
}

impl Timing {
    /// In the first stage, which may take so long.
    pub(super) fn begin(stage: StageId, now_us: u64, within: Duration) -> Self {
        let deadline_us = now_us + micros(within);
        Self { stage, entered_us: now_us, deadline_us, spent: TimeSpent::default() }
    }

    /// Moves on to a stage that may take so long. `start_us` is the common start, once that is settled.
    pub(super) fn enter(
        &mut self,
        stage: StageId,
        now_us: u64,
        within: Duration,
        start_us: Option<u64>,
    ) {
        debug_assert!(stage > self.stage, "a stage is never gone back to");
        self.book(now_us, start_us);
        self.stage = stage;
        self.deadline_us = now_us + micros(within);
    }

    /// Books the time since the last stage was entered.
    fn book(&mut self, now_us: u64, start_us: Option<u64>) {
        let (entered_us, spent) = (self.entered_us, &mut self.spent);
        let us = now_us.saturating_sub(entered_us);
        match self.stage {
            StageId::Running => {
                // The moment between telling agents the common start and that start is no load yet.
                let lead = start_us.map_or(0, |start| start.saturating_sub(entered_us));
                spent.setup_us += lead.min(us);
                spent.load_us += us - lead.min(us);
            }
            stage if stage < StageId::Running => spent.setup_us += us,
            StageId::Draining => spent.drain_us += us,
            stage if stage <= StageId::Collecting => spent.results_us += us,
            _ => spent.teardown_us += us,
        }
        self.entered_us = now_us;
    }
}
