//! What a consumer received, by the phase in which records were due and by partition, in tables that are
//! indexed and never searched.

use super::{
    clock::{Interval, NEVER, PhaseFinder},
    counts::phase_id,
    parts::ProcessedPart,
    topics::{Place, Topics},
};
use mallard_protocol::{
    counters::{Counter, Counters},
    histogram::Histogram,
    interval::{ConsumedPartition, ConsumerSlice},
    schedule::Timeline,
};
use std::sync::Arc;

/// A record as it is counted, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Where it was.
    pub(crate) place: Place,
    /// Its offset.
    pub(crate) offset: i64,
    /// Key and value bytes.
    pub(crate) bytes: u64,
    /// When it was due; [`NEVER`] if it has no stamp.
    pub(crate) due_us: u64,
}

/// What one instance received.
pub(crate) struct Receipts {
    topics: Arc<Topics>,
    finder: PhaseFinder,
    phases: Vec<Phase>,
    /// Records processed or given up since the common start.
    taken: u64,
    counters: Counters,
}

#[derive(Default)]
struct Phase {
    topics: Vec<Vec<ConsumedPartition>>,
    touched: bool,
}

impl Receipts {
    /// Nothing received yet.
    pub(crate) fn new(timeline: &Timeline, topics: Arc<Topics>) -> Self {
        let finder = PhaseFinder::new(timeline);
        let phases = (0..finder.count()).map(|_| Phase::default()).collect();
        Self { topics, finder, phases, taken: 0, counters: Counters::default() }
    }

    /// Records what was received at a moment.
    pub(crate) fn record(&mut self, item: &Item, now_us: u64) {
        self.record_all(std::slice::from_ref(item), now_us);
    }

    /// Records all that was received at a moment. Records of one partition mostly stand together: what is
    /// looked up is looked up once for them.
    pub(crate) fn record_all(&mut self, items: &[Item], now_us: u64) {
        for run in items.chunk_by(|a, b| a.place == b.place) {
            let mut rest = run;
            while let Some(first) = rest.first() {
                let slot = match first.due_us {
                    NEVER => self.finder.find(now_us),
                    due_us => self.finder.find(due_us),
                };
                let is_alike = |item: &&Item| match first.due_us {
                    NEVER => item.due_us == NEVER,
                    _ => self.finder.is_of_the_same(item.due_us),
                };
                let (alike, others) = rest.split_at(rest.iter().take_while(is_alike).count());
                self.record_alike(slot, first.place, alike, now_us);
                rest = others;
            }
        }
    }

    /// Records what was received of a partition, due in a phase: all of it with stamps, or all without.
    fn record_alike(&mut self, slot: usize, place: Place, items: &[Item], now_us: u64) {
        let Some(last) = items.last() else { return };
        self.taken += items.len() as u64;
        let phase = &mut self.phases[slot];
        phase.touched = true;
        let index = usize::try_from(place.1).unwrap_or(0);
        if phase.topics.get(place.0).is_none_or(|partitions| index >= partitions.len()) {
            phase.grow(&self.topics, place.0, index);
        }
        let partition = &mut phase.topics[place.0][index];
        partition.received += items.len() as u64;
        partition.received_bytes += items.iter().map(|item| item.bytes).sum::<u64>();
        if last.due_us != NEVER {
            let negative = items.iter().filter(|item| now_us < item.due_us);
            partition.negative += negative.count() as u64;
            let waited_us = items.iter().map(|item| now_us.saturating_sub(item.due_us));
            partition.end_to_end.record_each(waited_us);
        }
        self.topics.set_position(place, last.offset + 1);
    }

    /// Counts records that will not be processed, because their partition was taken away.
    pub(crate) fn give_up(&mut self, records: u64) {
        self.taken += records;
        self.counters.count(Counter::GivenUp, records);
    }

    /// The part of an interval that has ended.
    pub(crate) fn close(&mut self, interval: Interval) -> ProcessedPart {
        let slices = self
            .phases
            .iter_mut()
            .enumerate()
            .filter(|(_, phase)| phase.touched)
            .map(|(index, phase)| ConsumerSlice {
                phase: phase_id(index),
                partitions: phase.close(),
                pipeline: None,
            })
            .collect();
        ProcessedPart {
            interval,
            taken: self.taken,
            counters: std::mem::take(&mut self.counters),
            slices,
            positions: self.topics.known_positions(),
        }
    }
}

impl Phase {
    #[cold]
    fn grow(&mut self, topics: &Topics, topic: usize, index: usize) {
        if self.topics.len() <= topic {
            self.topics.resize_with(topic + 1, Vec::new);
        }
        let partitions = &mut self.topics[topic];
        let id = topics.id(topic);
        partitions.extend((partitions.len()..=index).map(|index| ConsumedPartition {
            topic: id,
            partition: i32::try_from(index).unwrap_or(i32::MAX),
            received: 0,
            received_bytes: 0,
            end_to_end: Histogram::new(),
            negative: 0,
        }));
    }

    fn close(&mut self) -> Vec<ConsumedPartition> {
        self.touched = false;
        let received = self.topics.iter_mut().flatten().filter(|p| p.received > 0);
        let moved_out = |p: &mut ConsumedPartition| ConsumedPartition {
            topic: p.topic,
            partition: p.partition,
            received: std::mem::take(&mut p.received),
            received_bytes: std::mem::take(&mut p.received_bytes),
            end_to_end: p.end_to_end.take(),
            negative: std::mem::take(&mut p.negative),
        };
        received.map(moved_out).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::{Phase as Stretch, PhaseKind};

    #[test]
    fn records_that_are_given_up_are_counted_once() {
        let mut receipts = Receipts::new(&Timeline(Vec::new()), Arc::new(Topics::of_one(1)));
        receipts.give_up(3);
        receipts.give_up(4);
        let interval = Interval { index: 0, start_us: 0, end_us: 2_000 };
        let given_up = |part: ProcessedPart| part.counters.get(Counter::GivenUp);
        assert_eq!(given_up(receipts.close(interval)), 7);
        assert_eq!(given_up(receipts.close(interval)), 0);
    }

    #[test]
    fn records_are_sorted_by_due_and_negative_times_are_counted() {
        let stretch = |start_us: u64, end_us| Stretch {
            name: start_us.to_string(),
            kind: PhaseKind::Hold,
            start_us,
            end_us,
        };
        let timeline = Timeline(vec![stretch(0, 1_000), stretch(1_000, 9_000)]);
        let mut receipts = Receipts::new(&timeline, Arc::new(Topics::of_one(3)));
        let item =
            |partition, offset, due_us| Item { place: (0, partition), offset, bytes: 10, due_us };
        receipts.record(&item(2, 7, 900), 1_500);
        receipts.record(&item(2, 8, 1_000), 1_500);
        receipts.record(&item(0, 3, 1_600), 1_500);
        receipts.record(&item(0, 4, NEVER), 1_500);
        let part = receipts.close(Interval { index: 0, start_us: 0, end_us: 2_000 });
        assert_eq!((part.taken, part.slices.len()), (4, 2));
        assert_eq!(part.slices[0].partitions[0].end_to_end.max(), Some(600));
        let second = &part.slices[1].partitions;
        assert_eq!((second[0].partition, second[0].received, second[0].negative), (0, 2, 1));
        assert_eq!((second[0].end_to_end.count(), second[0].end_to_end.max()), (1, Some(0)));
        let positions: Vec<_> = part.positions.iter().map(|p| (p.partition, p.offset)).collect();
        assert_eq!(positions, [(0, 5), (2, 9)]);
    }
}
