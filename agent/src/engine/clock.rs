//! The run's clock, microseconds since the common start: the intervals and phases that it is cut into.

use mallard_protocol::schedule::Timeline;

/// Not yet: a moment that is never reached.
pub(crate) const NEVER: u64 = u64::MAX;

/// An interval of the run's clock: `[start_us, end_us)`, by the agent's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// From 0, without holes.
    pub(crate) index: u64,
    /// First microsecond.
    pub(crate) start_us: u64,
    /// First microsecond after it.
    pub(crate) end_us: u64,
}

/// Walks the intervals of a run. Every thread has its own and they all agree, without talking to each
/// other: the boundaries follow from the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    timeline: Timeline,
    current: Interval,
}

impl Cutter {
    /// Starts in the first interval.
    pub(crate) fn new(timeline: &Timeline) -> Self {
        let end_us = timeline.next_cut_us(0);
        Self { timeline: timeline.clone(), current: Interval { index: 0, start_us: 0, end_us } }
    }

    /// The interval that is open.
    #[inline]
    pub(crate) fn current(&self) -> Interval {
        self.current
    }

    /// Closes the open interval if its end is at or before this moment. To be called until it returns
    /// `None`, before anything that happened at this moment is recorded.
    #[inline]
    pub(crate) fn cut(&mut self, now_us: u64) -> Option<Interval> {
        (now_us >= self.current.end_us).then(|| self.advance())
    }

    /// Closes the open interval at a moment inside it, as the run's last one. `None` if it is empty.
    pub(crate) fn cut_short(&mut self, at_us: u64) -> Option<Interval> {
        let last = Interval { end_us: at_us, ..self.current };
        (at_us > last.start_us && at_us <= self.current.end_us).then_some(last)
    }

    fn advance(&mut self) -> Interval {
        let closed = self.current;
        let end_us = self.timeline.next_cut_us(closed.end_us);
        self.current = Interval { index: closed.index + 1, start_us: closed.end_us, end_us };
        closed
    }
}

/// Finds the phase of a due time. Nearly always the same as last time, so that is looked at first.
#[derive(Clone, Debug)]
pub(crate) struct PhaseFinder {
    timeline: Timeline,
    start_us: u64,
    end_us: u64,
    slot: usize,
}

impl PhaseFinder {
    /// A finder in a timeline.
    pub(crate) fn new(timeline: &Timeline) -> Self {
        let mut finder = Self { timeline: timeline.clone(), start_us: 0, end_us: 0, slot: 0 };
        finder.look_up(0);
        finder
    }

    /// How many phases there are; at least one.
    pub(crate) fn count(&self) -> usize {
        self.timeline.0.len().max(1)
    }

    /// The phase, as an index.
    #[inline]
    pub(crate) fn find(&mut self, due_us: u64) -> usize {
        if !self.is_of_the_same(due_us) {
            self.look_up(due_us);
        }
        self.slot
    }

    /// Whether a due time is of the phase that was found last.
    #[inline]
    pub(crate) fn is_of_the_same(&self, due_us: u64) -> bool {
        (self.start_us..self.end_us).contains(&due_us)
    }

    #[cold]
    fn look_up(&mut self, due_us: u64) {
        self.slot = self.timeline.phase_at(due_us).index();
        let phases = &self.timeline.0;
        self.start_us = match self.slot {
            0 => 0,
            slot => phases.get(slot).map_or(0, |phase| phase.start_us),
        };
        self.end_us = phases.get(self.slot + 1).map_or(NEVER, |next| next.start_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::{Phase, PhaseKind};
    use proptest::prelude::*;

    fn timeline() -> Timeline {
        let phase = |name: &str, start_us, end_us| Phase {
            name: name.into(),
            kind: PhaseKind::Hold,
            start_us,
            end_us,
        };
        Timeline(vec![phase("a", 0, 2_500_000), phase("b", 2_500_000, 4_000_000)])
    }

    #[test]
    fn a_late_reading_closes_every_interval_it_missed() {
        let mut cutter = Cutter::new(&timeline());
        let mut closed = Vec::new();
        while let Some(interval) = cutter.cut(3_100_000) {
            closed.push((interval.index, interval.start_us, interval.end_us));
        }
        assert_eq!(
            closed,
            [
                (0, 0, 1_000_000),
                (1, 1_000_000, 2_000_000),
                (2, 2_000_000, 2_500_000),
                (3, 2_500_000, 3_000_000)
            ]
        );
        assert_eq!(cutter.cut_short(3_000_000), None);
        assert_eq!(cutter.cut_short(3_100_000).map(|last| last.end_us), Some(3_100_000));
    }

    proptest! {
        #[test]
        fn the_finder_agrees_with_the_timeline(moments in prop::collection::vec(0_u64..6_000_000, 1..50)) {
            let mut finder = PhaseFinder::new(&timeline());
            for at_us in moments {
                prop_assert_eq!(finder.find(at_us), timeline().phase_at(at_us).index());
            }
        }
    }
}
