//! Shortfall: records that were due in a stretch of time and were not acknowledged in it.

use super::Interval;

/// Records that are out: due, and neither acknowledged nor failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog(u64);

impl Backlog {
    /// Takes the next interval.
    pub(super) fn take(&mut self, interval: &Interval) {
        let due = self.0 + interval.scheduled;
        self.0 = due.saturating_sub(interval.acked + interval.failed);
    }
}

/// The sums of one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortfall {
    /// Out when it began: these are acknowledged first.
    backlog: Backlog,
    due: u64,
    acked: u64,
    /// Whether all of it was measured.
    is_known: bool,
}

impl Shortfall {
    /// A stretch that begins.
    pub(super) fn from(backlog: Backlog) -> Self {
        Self { backlog, due: 0, acked: 0, is_known: true }
    }

    /// Takes an interval of it.
    pub(super) fn take(&mut self, interval: &Interval) {
        self.due += interval.scheduled;
        self.acked += interval.acked;
        self.is_known &= interval.is_whole;
    }

    /// How many records fell short; `None` if a part was not measured.
    pub(super) fn records(&self) -> Option<u64> {
        let own = self.acked.saturating_sub(self.backlog.0);
        self.is_known.then(|| self.due.saturating_sub(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(scheduled: u64, acked: u64, failed: u64) -> Interval {
        Interval { scheduled, acked, failed, is_whole: true, ..Interval::default() }
    }

    #[test]
    fn what_was_due_before_is_acknowledged_first() {
        let mut backlog = Backlog::default();
        backlog.take(&interval(1_000, 980, 5));
        assert_eq!(backlog, Backlog(15));
        let mut short = Shortfall::from(backlog);
        // 15 of before, 185 of its own; of 200 due 15 are missing. Then nothing for a second, then 100 of 300 more.
        for (scheduled, acked) in [(200, 200), (100, 0), (100, 100)] {
            short.take(&interval(scheduled, acked, 0));
        }
        assert_eq!(short.records(), Some(400 - (300 - 15)));
    }

    #[test]
    fn records_that_fail_are_not_acknowledged_and_a_part_that_is_missing_makes_it_unknown() {
        let mut short = Shortfall::from(Backlog::default());
        short.take(&interval(100, 40, 60));
        assert_eq!(short.records(), Some(60));
        short.take(&Interval { is_whole: false, ..interval(100, 100, 0) });
        assert_eq!(short.records(), None);
    }
}
