//! What a watch of a part of the time holds back until it is known which part an interval belongs to.

use super::faults::{Decided, When};
use crate::metrics::tally::Tally;
use std::collections::VecDeque;

/// One interval.
#[derive(Clone, Debug)]
pub(super) struct HeldCell {
    pub(super) start_us: u64,
    /// Its end and the next cut, once it is complete.
    pub(super) times: Option<(u64, u64)>,
    /// By member.
    pub(super) tallies: Vec<Tally>,
}

/// Intervals that are not decided, in order.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) when: When,
    members: usize,
    cells: VecDeque<HeldCell>,
    /// What began before this was decided.
    decided_us: u64,
}

impl Held {
    pub(super) fn new(when: When, members: usize) -> Self {
        Self { when, members, cells: VecDeque::new(), decided_us: 0 }
    }

    /// The cell of an interval, made if need be; `None` if it was decided already.
    pub(super) fn cell(&mut self, start_us: u64) -> Option<&mut HeldCell> {
        if start_us < self.decided_us {
            return None;
        }
        let at = self.cells.partition_point(|cell| cell.start_us < start_us);
        if self.cells.get(at).is_none_or(|cell| cell.start_us != start_us) {
            let tallies = vec![Tally::default(); self.members];
            self.cells.insert(at, HeldCell { start_us, times: None, tallies });
        }
        self.cells.get_mut(at)
    }

    /// Whether an interval is wanted.
    pub(super) fn wants(&self, decided: &Decided) -> bool {
        match &self.when {
            When::Any => true,
            When::Of(faults) => decided.faults.iter().any(|fault| faults.contains(fault)),
            When::Outside => decided.is_outside,
        }
    }

    /// Takes out the cell of an interval that is decided, and forgets those before it.
    pub(super) fn take(&mut self, start_us: u64) -> Option<HeldCell> {
        self.decided_us = self.decided_us.max(start_us + 1);
        let mut found = None;
        while self.cells.front().is_some_and(|cell| cell.start_us <= start_us) {
            found = self.cells.pop_front();
        }
        found.filter(|cell| cell.start_us == start_us)
    }
}
