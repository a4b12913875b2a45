//! Between the drain and the end: producers flush, and only then is it read where logs end, since what is
//! acknowledged while they flush is in the log as well. Consumers read on up to there.
//!
//! Invariant: offsets that prove a loss are read after the last acknowledgement.

use super::finishing::Finishing;
use crate::{
    clock::micros,
    plan::AgentIndex,
    run::{
        agent::Agent,
        questions::Asked,
        shared::Shared,
        stage::{self, CATCHING_UP, Next, Stage},
        stage_id::StageId,
    },
};
use mallard_protocol::message::{Question, ToAgent};
use std::time::Duration;

/// How long reading offsets may take before what is known has to do.
const OFFSETS_WITHIN: Duration = Duration::from_secs(10);

/// How long consumers that have received everything may take to step over the markers of transactions:
/// positions are told once an interval.
const MARKERS_WITHIN: Duration = Duration::from_secs(3);

/// How long reading on may still take when somebody asked to stop.
const STOPPED_READING: Duration = Duration::from_secs(10);

/// Producers flush: the last records are acknowledged or fail.
#[derive(Debug)]
pub(super) struct Flushing;

impl Flushing {
    pub(super) fn enter(case: &mut Shared) -> Next {
        case.enter(StageId::Flushing, case.finish_limit());
        case.send_all(&flush(case));
        Some(Box::new(Self))
    }
}

/// What agents are told when the drain is over.
fn flush(case: &Shared) -> ToAgent {
    ToAgent::Flush { within_ms: micros(case.plan.deadlines.finish) / 1_000 }
}

impl Stage for Flushing {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let waiting = case.agents.iter().any(Agent::has_to_flush);
        if waiting && !case.is_late() {
            return None;
        }
        if waiting {
            let error = stage::late(self, case, case.plan.deadlines.finish);
            case.run_errors.push(error);
        }
        Offsets::enter(case, StageId::EndOffsets, Asked::EndOffsets)
    }

    fn waiting_for(&self, case: &Shared) -> String {
        format!("{} to flush", case.names_where(Agent::has_to_flush))
    }

    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }

    /// It is on its way to the end.
    fn wind_up(&mut self, _case: &mut Shared) -> Next {
        None
    }

    fn time_to_catch_up(&self, case: &Shared) -> Duration {
        case.finish_limit()
    }

    fn repeat(&self, case: &mut Shared, agent: AgentIndex) {
        case.send(agent, flush(case));
    }
}

/// It is read where logs start and end: at first after the last acknowledgement, and once more when consumers have
/// read on, since what lies before the start by then was removed.
#[derive(Debug)]
struct Offsets {
    asked: Asked,
}

impl Offsets {
    fn enter(case: &mut Shared, stage: StageId, asked: Asked) -> Next {
        let Some(admin) = case.admin() else { return Finishing::enter(case) };
        case.enter(stage, case.plan.deadlines.topics);
        case.log_is_final = !case.agents.iter().any(Agent::has_to_flush);
        let (topics, within_ms) = (case.topic_ids(), micros(OFFSETS_WITHIN) / 1_000);
        case.ask(admin, asked, Question::Offsets { topics, within_ms });
        Some(Box::new(Self { asked }))
    }
}

impl Stage for Offsets {
    fn advance(&mut self, case: &mut Shared) -> Next {
        if case.is_asking(|asked| asked == self.asked) && !case.is_late() {
            return None;
        }
        // Consumers that have read everything are not waited for, and nothing was removed before them
        // since. Nor are those of a case that has failed.
        let reads_on = self.asked == Asked::EndOffsets
            && !case.has_failed
            && !case.have_all_finished()
            && !case.collector.unread_before(&case.log.ends).is_empty();
        if reads_on { ReadingOn::enter(case) } else { Finishing::enter(case) }
    }

    fn waiting_for(&self, case: &Shared) -> String {
        case.offsets_and_clocks()
    }

    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }

    /// It is on its way to the end.
    fn wind_up(&mut self, _case: &mut Shared) -> Next {
        None
    }
}

/// Consumers read on, up to these ends.
#[derive(Debug)]
struct ReadingOn;

impl ReadingOn {
    fn enter(case: &mut Shared) -> Next {
        let within = match case.stop.by {
            Some(_) => case.plan.deadlines.finish.min(STOPPED_READING),
            None => case.plan.deadlines.finish,
        };
        case.enter(StageId::ReadingOn, within);
        Some(Box::new(Self))
    }
}

impl Stage for ReadingOn {
    fn advance(&mut self, case: &mut Shared) -> Next {
        let unread = case.collector.unread_before(&case.log.ends);
        let within_us = case.now_us.saturating_sub(case.timing.entered_us);
        let only_markers = within_us >= micros(MARKERS_WITHIN) && case.collector.missing() == 0;
        if unread.is_empty() || only_markers || case.have_all_finished() || case.is_late() {
            return Offsets::enter(case, StageId::LastOffsets, Asked::LastOffsets);
        }
        None
    }

    fn break_off(&mut self, case: &mut Shared, within: Duration) -> Next {
        Finishing::broken_off(case, within)
    }

    /// It is on its way to the end.
    fn wind_up(&mut self, _case: &mut Shared) -> Next {
        None
    }

    /// Consumers read on for a moment only.
    fn stop(&mut self, case: &mut Shared) -> Next {
        let soon_us = case.now_us + micros(STOPPED_READING);
        case.timing.deadline_us = case.timing.deadline_us.min(soon_us);
        None
    }

    fn time_to_catch_up(&self, case: &Shared) -> Duration {
        case.plan.deadlines.finish.max(CATCHING_UP)
    }
}
