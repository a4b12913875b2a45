//! Where logs start and end after the last acknowledgement, as it was read, once or twice.

use super::shared::Shared;
use crate::{
    model::events::{Level, RunEvent},
    plan::AgentIndex,
};
use mallard_protocol::message::LogBounds;

impl Shared {
    /// Takes in where logs start and end. What was read later counts, but for an end that has grown: nothing
    /// of this case's was acknowledged in between.
    pub(super) fn on_offsets(&mut self, agent: AgentIndex, read: LogBounds) {
        if let Some(why) = &read.missing {
            let text = format!("where some logs start and end could not be read: {why}");
            let source = self.plan.agents[agent].name.clone();
            self.emit(RunEvent::Note { level: Level::Warning, source, text });
        }
        let known = std::mem::take(&mut self.log);
        self.log = later(known, read);
    }

    /// What may prove a loss. An end that was read while producers still flushed proves nothing: what was
    /// acknowledged after that lies beyond it.
    pub(super) fn final_log(&self) -> LogBounds {
        let ends = if self.log_is_final { self.log.ends.clone() } else { Vec::new() };
        LogBounds { ends, ..self.log.clone() }
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
