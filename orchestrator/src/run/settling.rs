//! Between the drain and the end: producers flush, and only then is it read where logs end, since what is
//! acknowledged while they flush is in the log as well. Consumers read on up to there.
//!
//! Invariant: offsets that a loss is told by are read after the last acknowledgement.

use super::{case::Case, questions::Asked, stage_id::StageId};
use crate::{clock::micros, model::events::RunEvent, verdict::Trouble};
use mallard_protocol::message::{LogBounds, Question, ToAgent};
use std::time::Duration;

/// How long reading offsets may take before what is known has to do.
const OFFSETS_WITHIN: Duration = Duration::from_secs(5);

/// How long consumers that have received everything may take to step over the markers of transactions:
/// positions are told once an interval.
const MARKERS_WITHIN: Duration = Duration::from_secs(3);

/// How long reading on may still take when somebody asked to stop.
const STOPPED_READING: Duration = Duration::from_secs(10);

impl Case {
    pub(super) fn flush_producers(&mut self) {
        self.enter(StageId::Flushing, self.finish_limit());
        let order = self.flush_order();
        self.send_all(&order);
    }

    /// What agents are told when the drain is over.
    pub(super) fn flush_order(&self) -> ToAgent {
        ToAgent::Flush { within_ms: micros(self.plan.deadlines.finish) / 1_000 }
    }

    pub(super) fn on_flushed(&mut self, agent: usize) {
        self.agents[agent].flushed = true;
    }

    pub(super) fn while_flushing(&mut self) {
        let waiting = self.living().into_iter().any(|agent| self.has_to_flush(agent));
        if waiting && !self.is_late() {
            return;
        }
        if waiting {
            self.troubles.push(Trouble::Deadline {
                step: self.stage_name().to_owned(),
                progress: format!("still waiting for {}", self.waiting_for()),
                within_us: micros(self.plan.deadlines.finish),
            });
        }
        self.ask_for_offsets(StageId::EndOffsets, Asked::EndOffsets);
    }

    /// Whether an agent has not said that its producers are flushed.
    pub(super) fn has_to_flush(&self, agent: usize) -> bool {
        let known = &self.agents[agent];
        !known.flushed && known.finished.is_none() && known.gone.is_none()
    }

    fn ask_for_offsets(&mut self, stage: StageId, asked: Asked) {
        let Some(admin) = self.admin() else { return self.finish_agents() };
        self.enter(stage, self.plan.deadlines.topics);
        let (topics, within_ms) = (self.topic_ids(), micros(OFFSETS_WITHIN) / 1_000);
        self.ask(admin, asked, Question::Offsets { topics, within_ms });
    }

    /// Takes in where logs start and end. What was read later counts, but for an end that has grown: nothing
    /// of this case's was acknowledged in between.
    pub(super) fn on_offsets(&mut self, agent: usize, read: LogBounds) {
        if let Some(why) = &read.missing {
            let text = format!("where some logs start and end could not be read: {why}");
            let source = self.plan.agents[agent].name.clone();
            self.emit(RunEvent::Note { level: "warning".to_owned(), source, text });
        }
        let known = std::mem::take(&mut self.log);
        self.log = later(known, read);
    }

    pub(super) fn while_reading_end_offsets(&mut self) {
        if self.is_asking(|asked| asked == Asked::EndOffsets) && !self.is_late() {
            return;
        }
        // Consumers that have read everything are not waited for, and nothing was removed before them
        // since.
        if self.collector.unread_before(&self.log.ends).is_empty() || self.have_all_finished() {
            return self.finish_agents();
        }
        let within = match self.interrupted_by {
            Some(_) => self.plan.deadlines.finish.min(STOPPED_READING),
            None => self.plan.deadlines.finish,
        };
        self.enter(StageId::ReadingOn, within);
    }

    pub(super) fn while_reading_on(&mut self) {
        let unread = self.collector.unread_before(&self.log.ends);
        let within_us = self.now_us.saturating_sub(self.entered_us);
        let only_markers = within_us >= micros(MARKERS_WITHIN) && self.collector.missing() == 0;
        if unread.is_empty() || only_markers || self.have_all_finished() || self.is_late() {
            self.ask_for_offsets(StageId::LastOffsets, Asked::LastOffsets);
        }
    }

    pub(super) fn while_reading_last_offsets(&mut self) {
        if !self.is_asking(|asked| asked == Asked::LastOffsets) || self.is_late() {
            self.finish_agents();
        }
    }

    /// Somebody wants an end: consumers read on for a moment only.
    pub(super) fn shorten_reading(&mut self) {
        self.deadline_us = self.deadline_us.min(self.now_us + micros(STOPPED_READING));
    }
}

/// Bounds that were read earlier, with what is known later: of ends the lower, of starts the later.
fn later(mut known: LogBounds, read: LogBounds) -> LogBounds {
    for end in read.ends {
        let place = |at: &&mut mallard_protocol::interval::PartitionOffset| {
            (at.topic, at.partition) == (end.topic, end.partition)
        };
        match known.ends.iter_mut().find(place) {
            Some(at) => at.offset = at.offset.min(end.offset),
            None => known.ends.push(end),
        }
    }
    let is_read = |topic, partition| {
        read.starts.iter().any(|start| (start.topic, start.partition) == (topic, partition))
    };
    known.starts.retain(|start| !is_read(start.topic, start.partition));
    known.starts.extend(read.starts);
    LogBounds { missing: read.missing, ..known }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::{ids::TopicId, interval::PartitionOffset};

    fn at(partition: i32, offset: i64) -> PartitionOffset {
        PartitionOffset { topic: TopicId(0), partition, offset }
    }

    #[test]
    fn what_is_read_later_lowers_ends_and_moves_starts() {
        let first = LogBounds {
            starts: vec![at(0, 5), at(1, 5)],
            ends: vec![at(0, 100), at(1, 100)],
            missing: Some("no leader".into()),
        };
        let last = LogBounds {
            starts: vec![at(0, 70), at(2, 3)],
            ends: vec![at(0, 90), at(1, 130), at(2, 40)],
            missing: None,
        };
        let both = later(first, last);
        assert_eq!(both.ends, [at(0, 90), at(1, 100), at(2, 40)]);
        assert_eq!(both.starts, [at(1, 5), at(0, 70), at(2, 3)]);
        assert_eq!(both.missing, None);
    }
}
