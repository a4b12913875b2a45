//! Stretches in which a partition had records due and acknowledged none.
//!
//! That nothing was acknowledged proves nothing by itself: nothing may have been due. What proves it are the records
//! that ended the silence: the one that waited longest had been due since then. So a stretch is as long as that wait,
//! and no longer than there was silence; records that failed in it make it as long as the silence.

use super::Interval;
use std::collections::VecDeque;

/// Shortest silence that is seen, in microseconds: an interval.
const SEEN_FROM_US: u64 = mallard_protocol::INTERVAL_US;

/// The usual is looked for in this much time before, in microseconds.
const USUAL_OVER_US: u64 = 60_000_000;

/// Most stretches that are kept; of more, the first ones.
const STRETCHES_MAX: usize = 10_000;

/// A partition that acknowledged nothing that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The partition.
    pub(super) slot: usize,
    /// Since when.
    pub(super) from_us: u64,
    /// Until when.
    pub(super) to_us: u64,
    /// How much of it was more than usual.
    pub(super) unusual_us: u64,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// End of the last interval with an acknowledgement.
    acked_us: u64,
    /// Records that have failed since.
    failed: u64,
    /// Waits that ended silences while nothing was broken: when, how long.
    usual: VecDeque<(u64, u64)>,
}

/// All partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Unavailable {
    slots: Vec<Slot>,
    stretches: Vec<Stretch>,
    end_us: u64,
    /// Due, and neither acknowledged nor failed.
    out: u64,
}

impl Unavailable {
    /// Takes the next interval, in which something was broken on purpose or not.
    pub(super) fn take(&mut self, interval: &Interval, is_in_fault: bool) {
        self.end_us = interval.end_us;
        self.out = (self.out + interval.scheduled).saturating_sub(interval.acked + interval.failed);
        if self.slots.len() < interval.flows.len() {
            self.slots.resize_with(interval.flows.len(), Slot::default);
        }
        for (slot, flow) in interval.flows.iter().enumerate() {
            let known = &mut self.slots[slot];
            known.failed += flow.failed;
            if flow.acked == 0 {
                continue;
            }
            let silent_us = interval.start_us.saturating_sub(known.acked_us);
            let has_failed = known.failed > 0;
            known.acked_us = interval.end_us;
            known.failed = 0;
            if silent_us < SEEN_FROM_US {
                continue;
            }
            // The last acknowledgement before and the first one after lie anywhere in their intervals.
            let longest_us = silent_us + 2 * SEEN_FROM_US;
            let waited_us = flow.wait_us.min(longest_us);
            let lasting_us = if has_failed { waited_us.max(silent_us) } else { waited_us };
            let to_us = interval.end_us;
            let unusual_us =
                lasting_us.saturating_sub(known.usual_us(to_us - lasting_us.min(to_us)));
            if lasting_us >= SEEN_FROM_US && unusual_us > 0 {
                self.add(Stretch {
                    slot,
                    from_us: to_us.saturating_sub(lasting_us),
                    to_us,
                    unusual_us,
                });
            }
            if !is_in_fault {
                self.slots[slot].note(to_us, lasting_us);
            }
        }
    }

    fn add(&mut self, stretch: Stretch) {
        if self.stretches.len() < STRETCHES_MAX {
            self.stretches.push(stretch);
        }
    }

    /// All stretches. Those that were not over at the end are told by the records that failed in them; `None` where
    /// records were still out, which may have been due there.
    pub(super) fn finish(mut self, is_partition: impl Fn(usize) -> bool) -> Option<Vec<Stretch>> {
        let end_us = self.end_us;
        let silent = |known: &Slot| end_us.saturating_sub(known.acked_us) >= SEEN_FROM_US;
        let slots = self.slots.iter().enumerate().filter(|(slot, _)| is_partition(*slot));
        let silent: Vec<_> = slots.filter(|(_, known)| silent(known)).collect();
        if self.out > 0 && !silent.is_empty() {
            return None;
        }
        let open: Vec<_> = silent
            .into_iter()
            .filter(|(_, known)| known.failed > 0)
            .map(|(slot, known)| (slot, known.acked_us, known.usual_us(known.acked_us)))
            .collect();
        for (slot, from_us, usual_us) in open {
            let unusual_us = (end_us - from_us).saturating_sub(usual_us);
            self.add(Stretch { slot, from_us, to_us: end_us, unusual_us });
        }
        Some(self.stretches)
    }
}

impl Slot {
    /// The longest usual wait in the time before a moment.
    fn usual_us(&self, at_us: u64) -> u64 {
        let near = self.usual.iter().filter(|(when_us, _)| when_us + USUAL_OVER_US > at_us);
        near.map(|(_, wait_us)| *wait_us).max().unwrap_or(0)
    }

    fn note(&mut self, at_us: u64, wait_us: u64) {
        self.usual.push_back((at_us, wait_us));
        while self.usual.front().is_some_and(|(when_us, _)| when_us + 2 * USUAL_OVER_US <= at_us) {
            self.usual.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::outages::Flow;

    const SECOND_US: u64 = 1_000_000;

    /// A load of one partition: by second, acknowledged and failed, and how long the longest waited.
    fn stretches(
        seconds: &[(u64, u64, u64)],
        in_fault: impl Fn(u64) -> bool,
    ) -> Option<Vec<Stretch>> {
        let mut unavailable = Unavailable::default();
        for (at, (acked, failed, wait_us)) in (0..).zip(seconds) {
            let flow = Flow { acked: *acked, failed: *failed, late: 0, wait_us: *wait_us };
            let interval = Interval {
                start_us: at * SECOND_US,
                end_us: (at + 1) * SECOND_US,
                scheduled: 100,
                acked: *acked,
                failed: *failed,
                flows: vec![flow],
                ..Interval::default()
            };
            unavailable.take(&interval, in_fault(at));
        }
        unavailable.finish(|_| true)
    }

    const FINE: (u64, u64, u64) = (100, 0, 5_000);
    const SILENT: (u64, u64, u64) = (0, 0, 0);

    #[test]
    fn a_stretch_is_as_long_as_the_record_waited_that_ended_it() {
        let load = [FINE, FINE, SILENT, SILENT, SILENT, (400, 0, 3_700_000), FINE];
        let found = stretches(&load, |_| false).unwrap();
        let [stretch] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((stretch.slot, stretch.unusual_us), (0, 3_700_000));
        assert_eq!((stretch.from_us, stretch.to_us), (2_300_000, 6_000_000));
        // A record that was due only at the end waited for no more than that.
        let idle = [FINE, SILENT, SILENT, SILENT, (100, 0, 4_000)];
        assert_eq!(stretches(&idle, |_| false).map(|found| found.len()), Some(0));
    }

    #[test]
    fn a_backlog_makes_no_stretch_longer_than_the_silence() {
        let load = [FINE, SILENT, SILENT, (300, 0, 60_000_000)];
        let found = stretches(&load, |_| false).unwrap();
        assert_eq!(found[0].unusual_us, 4 * SECOND_US, "two silent seconds and their neighbours");
    }

    #[test]
    fn what_is_usual_is_no_outage_and_is_learned_outside_faults() {
        let burst = [SILENT, SILENT, (300, 0, 2_900_000)];
        let load = [[FINE, FINE, FINE], burst, burst, burst].concat();
        let usual = stretches(&load, |_| false).unwrap();
        assert_eq!(usual.iter().map(|of| of.unusual_us).collect::<Vec<_>>(), [2_900_000]);
        let broken = stretches(&load, |at| at >= 3).unwrap();
        assert_eq!(broken.iter().map(|of| of.unusual_us).collect::<Vec<_>>(), [2_900_000; 3]);
    }

    #[test]
    fn an_end_in_silence_is_told_by_what_failed_and_unknown_where_records_are_out() {
        let failed = [FINE, SILENT, SILENT, (0, 300, 0)];
        let found = stretches(&failed, |_| false).unwrap();
        assert_eq!((found[0].from_us, found[0].to_us), (SECOND_US, 4 * SECOND_US));
        assert_eq!(stretches(&[FINE, SILENT, SILENT, SILENT], |_| false), None);
    }
}
