//! Lag: the broker's end offset less the position of whoever reads a partition.
//!
//! A partition moves between a group's members; its position is the latest that any of them told. A
//! partition that nobody has told a position of yet is read from where it ended when the load started.

use super::roster::Roster;
use mallard_protocol::interval::PartitionOffset;

/// Offsets by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct LagTable {
    start: Vec<Option<i64>>,
    end: Vec<Option<i64>>,
    /// By reader, by slot.
    positions: Vec<Vec<Option<i64>>>,
    /// Largest lag in a measured interval, of the reader that lagged most.
    max: Vec<Option<u64>>,
}

impl LagTable {
    pub(super) fn new(slots: usize, readers: usize) -> Self {
        let none = || vec![None; slots];
        let positions = (0..readers).map(|_| none()).collect();
        Self { start: none(), end: none(), positions, max: vec![None; slots] }
    }

    pub(super) fn set_start(&mut self, offsets: &[PartitionOffset], roster: &Roster) {
        set(&mut self.start, offsets, roster);
    }

    pub(super) fn set_end(&mut self, offsets: &[PartitionOffset], roster: &Roster) {
        set(&mut self.end, offsets, roster);
    }

    pub(super) fn set_position(&mut self, reader: usize, slot: usize, offset: i64) {
        self.positions[reader][slot] = Some(offset);
    }

    /// Lag of a reader in a partition; `None` where an offset is not known.
    pub(super) fn of(&self, reader: usize, slot: usize) -> Option<u64> {
        let end = self.end[slot]?;
        let position = self.positions[reader][slot].or(self.start[slot])?;
        Some(u64::try_from(end.saturating_sub(position)).unwrap_or(0))
    }

    /// Of the reader that lags most.
    pub(super) fn worst(&self, slot: usize) -> Option<u64> {
        (0..self.positions.len()).filter_map(|reader| self.of(reader, slot)).max()
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

fn set(into: &mut [Option<i64>], offsets: &[PartitionOffset], roster: &Roster) {
    for offset in offsets {
        if let Some(slot) = roster.slot(offset.topic, offset.partition) {
            into[slot] = Some(offset.offset);
        }
    }
}
