//! Lag: the broker's end offset less the position of whoever reads a partition.
//!
//! A partition moves between a group's members; its position is the latest that any of them told. A
//! partition that nobody has told a position of yet is read from where it ended when the load started.

use super::roster::Roster;
use mallard_protocol::{interval::PartitionOffset, message::LogBounds};

/// Offsets by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct LagTable {
    start: Vec<Option<i64>>,
    end: Vec<Option<i64>>,
    /// End of the interval in which each end was read last, on the run's clock.
    end_us: Vec<u64>,
    /// Whether the end was read after the last acknowledgement.
    settled: Vec<bool>,
    /// The first offset that can be read when all is over.
    log_start: Vec<Option<i64>>,
    /// One beyond the last record that this case's producers put there; 0 where that is not known.
    sent_to: Vec<i64>,
    /// Most markers of transactions that may follow the last record: each producer ends one transaction at
    /// most after its last record in a partition.
    markers_max: Vec<i64>,
    /// By reader, by slot.
    positions: Vec<Vec<Option<i64>>>,
    /// End of the interval in which a position was told last, by reader, by slot.
    reported_us: Vec<Vec<u64>>,
    /// End of the interval in which a position moved last, by reader, by slot.
    moved_us: Vec<Vec<u64>>,
    /// Largest lag in a measured interval, of the reader that lagged most.
    max: Vec<Option<u64>>,
}

impl LagTable {
    pub(super) fn new(slots: usize, readers: usize) -> Self {
        let none = || vec![None; slots];
        Self {
            start: none(),
            end: none(),
            end_us: vec![0; slots],
            settled: vec![false; slots],
            log_start: none(),
            sent_to: vec![0; slots],
            markers_max: vec![0; slots],
            positions: vec![none(); readers],
            reported_us: vec![vec![0; slots]; readers],
            moved_us: vec![vec![0; slots]; readers],
            max: vec![None; slots],
        }
    }

    pub(super) fn set_start(&mut self, offsets: &[PartitionOffset], roster: &Roster) {
        set(&mut self.start, offsets, roster);
    }

    /// Ends that were read at the end of an interval.
    pub(super) fn set_end(&mut self, offsets: &[PartitionOffset], at_us: u64, roster: &Roster) {
        set(&mut self.end, offsets, roster);
        for slot in slots_of(offsets, roster) {
            self.end_us[slot] = self.end_us[slot].max(at_us);
        }
    }

    /// A producer sends in transactions to a partition.
    pub(super) fn expect_marker(&mut self, slot: usize) {
        self.markers_max[slot] += 1;
    }

    /// Records were acknowledged below this offset.
    pub(super) fn set_sent_to(&mut self, slot: usize, next_offset: i64) {
        self.sent_to[slot] = self.sent_to[slot].max(next_offset);
    }

    /// One beyond the last record: what markers of this case's transactions alone lie beyond.
    pub(super) fn records_end(&self, slot: usize) -> Option<i64> {
        Some(records_end(self.end[slot]?, self.sent_to[slot], self.markers_max[slot]))
    }

    /// Where logs start and end after the last acknowledgement.
    pub(super) fn settle(&mut self, bounds: &LogBounds, roster: &Roster) {
        set(&mut self.end, &bounds.ends, roster);
        set(&mut self.log_start, &bounds.starts, roster);
        for slot in slots_of(&bounds.ends, roster) {
            self.settled[slot] = true;
        }
    }

    /// Where a reader stood at the end of an interval, by one of its members. Reports come in any order, and the
    /// member that has lost a partition may tell of it in the same interval as the one that got it: the later
    /// interval counts, and within one the furthest position.
    pub(super) fn set_position(&mut self, reader: usize, slot: usize, offset: i64, at_us: u64) {
        let reported_us = &mut self.reported_us[reader][slot];
        let known = self.positions[reader][slot];
        if at_us < *reported_us || (at_us == *reported_us && known > Some(offset)) {
            return;
        }
        *reported_us = at_us;
        if self.positions[reader][slot].replace(offset) != Some(offset) {
            self.moved_us[reader][slot] = at_us;
        }
    }

    /// Lag of a reader in a partition; `None` where an offset is not known.
    pub(super) fn of(&self, reader: usize, slot: usize) -> Option<u64> {
        let end = self.end[slot]?;
        let position = self.position(reader, slot)?;
        Some(u64::try_from(end.saturating_sub(position)).unwrap_or(0))
    }

    /// Offsets that a reader has not come to and that can be read; `None` where an offset is not known.
    pub(super) fn unread(&self, reader: usize, slot: usize) -> Option<u64> {
        let end = self.end[slot]?;
        let position = self.position(reader, slot)?;
        let from = self.log_start[slot].map_or(position, |start| start.max(position));
        Some(u64::try_from(end.saturating_sub(from)).unwrap_or(0))
    }

    /// Where a reader stands: where the load started, if it was never told.
    pub(super) fn position(&self, reader: usize, slot: usize) -> Option<i64> {
        self.positions[reader][slot].or(self.start[slot])
    }

    /// When a reader's position moved last.
    pub(super) fn moved_us(&self, reader: usize, slot: usize) -> u64 {
        self.moved_us[reader][slot]
    }

    /// Whether a reader has come to an end that was read at the end of an interval after this moment.
    pub(super) fn has_read_to_an_end_after(&self, reader: usize, slot: usize, at_us: u64) -> bool {
        self.end_us[slot] > at_us && self.of(reader, slot) == Some(0)
    }

    /// Start and end of the load's part of a log, the end after the last acknowledgement; `None` where the
    /// brokers did not say.
    pub(super) fn settled(&self, slot: usize) -> Option<(i64, i64)> {
        self.start[slot].zip(self.end[slot]).filter(|_| self.settled[slot])
    }

    /// The first offset that can be read when all is over.
    pub(super) fn log_start(&self, slot: usize) -> Option<i64> {
        self.log_start[slot]
    }

    /// Offsets of the load below the start of the log.
    pub(super) fn removed(&self, slot: usize) -> u64 {
        let removed = self.log_start[slot]
            .zip(self.start[slot])
            .map_or(0, |(log, load)| log.saturating_sub(load));
        u64::try_from(removed).unwrap_or(0)
    }

    pub(super) fn note_max(&mut self, slot: usize, lag: u64) {
        self.max[slot] = self.max[slot].max(Some(lag));
    }

    pub(super) fn max(&self, slot: usize) -> Option<u64> {
        self.max[slot]
    }

    pub(super) fn start(&self, slot: usize) -> Option<i64> {
        self.start[slot]
    }

    pub(super) fn end(&self, slot: usize) -> Option<i64> {
        self.end[slot]
    }
}

/// One beyond the last record of a log that ends at `end`, of which the case's own records reach up to
/// `sent_to` (0 where that is not known), if no more lies beyond them than markers of its transactions can.
pub fn records_end(end: i64, sent_to: i64, markers_max: i64) -> i64 {
    let beyond = end.saturating_sub(sent_to);
    if sent_to > 0 && (0..=markers_max).contains(&beyond) { sent_to } else { end }
}

fn slots_of(offsets: &[PartitionOffset], roster: &Roster) -> impl Iterator<Item = usize> {
    offsets.iter().filter_map(|at| roster.slot(at.topic, at.partition))
}

fn set(into: &mut [Option<i64>], offsets: &[PartitionOffset], roster: &Roster) {
    for offset in offsets {
        if let Some(slot) = roster.slot(offset.topic, offset.partition) {
            into[slot] = Some(offset.offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_lost_a_partition_does_not_take_the_groups_position_back() {
        let mut table = LagTable::new(1, 1);
        table.set_position(0, 0, 500, 2_000);
        table.set_position(0, 0, 120, 2_000);
        table.set_position(0, 0, 90, 1_000);
        assert_eq!(table.position(0, 0), Some(500), "told later in no interval of its own");
        table.set_position(0, 0, 300, 3_000);
        assert_eq!(table.position(0, 0), Some(300), "a new member begins at what was committed");
    }

    #[test]
    fn markers_behind_the_last_record_are_no_records() {
        assert_eq!(records_end(102, 100, 2), 100, "two producers ended a transaction each");
        assert_eq!(records_end(103, 100, 2), 103, "somebody else writes as well");
        assert_eq!(records_end(102, 100, 0), 102, "nobody sends in transactions");
        assert_eq!(records_end(102, 0, 2), 102, "the broker told no offsets");
        assert_eq!(
            records_end(90, 100, 2),
            90,
            "read before the last acknowledgement, or truncated"
        );
    }
}
