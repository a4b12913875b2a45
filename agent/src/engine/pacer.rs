//! When an instance's records are due, and how long there is nothing to do. Decides, and touches
//! nothing: time comes in as numbers.
//!
//! Invariant: debt is never forgotten. A record that is due stays due until it is taken, however late.

use super::clock::NEVER;
use mallard_protocol::schedule::{Cursor, Pace, Schedule, Share};

/// At high rates records are sent in ticks: what they wait for it is in their slip. An instance wakes up
/// at most 2,000 times a second.
pub(crate) const SHORTEST_TICK_US: u64 = 500;

/// With this tick, slip stays below a millisecond where nothing else disturbs.
const LONGEST_TICK_US: u64 = 800;

/// The tick of a producer whose client has records wait for others so long. A sixth of that is little
/// beside it, and every tick costs about 10 µs of CPU time.
pub(crate) fn tick_us(linger_us: u64) -> u64 {
    (linger_us / 6).clamp(SHORTEST_TICK_US, LONGEST_TICK_US)
}

/// A record that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// When, on the run's clock.
    pub(crate) at_us: u64,
    /// Its number in the schedule that all instances share. `None` in a closed loop, where the schedule
    /// numbers nothing.
    pub(crate) number: Option<u64>,
}

/// An instance's way through its producer's schedule.
pub(crate) struct Pacer<'s> {
    schedule: &'s Schedule,
    cursor: Cursor<'s>,
    /// What this instance has taken over from instances that are lost. Hardly ever anything.
    taken_over: Vec<Cursor<'s>>,
    /// When closed loops begin, in order. A schedule may have thousands of segments, and is asked for the
    /// next closed loop at every wake-up.
    closed_loops_us: Box<[u64]>,
    tick_us: u64,
    stop_us: u64,
}

impl<'s> Pacer<'s> {
    /// A pacer for one of `stride` instances.
    pub(crate) fn new(schedule: &'s Schedule, (stride, offset): (u32, u32), tick_us: u64) -> Self {
        let cursor = Cursor::new(schedule, stride, offset);
        let closed_loops = schedule.segments().iter().filter(|segment| segment.pace == Pace::Max);
        let closed_loops_us = closed_loops.map(|segment| segment.start_us).collect();
        Self { schedule, cursor, taken_over: Vec::new(), closed_loops_us, tick_us, stop_us: NEVER }
    }

    /// Has more records to send from here on: those of a share that nothing was asked about yet.
    pub(crate) fn take_over(&mut self, share: Share) {
        self.taken_over.push(Cursor::over(self.schedule, share));
    }

    /// Cuts the schedule: nothing at or after this moment is due. The first call counts.
    pub(crate) fn stop(&mut self, at_us: u64) {
        self.stop_us = self.stop_us.min(at_us);
    }

    /// Whether the schedule was cut.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop_us != NEVER
    }

    /// Takes up to `limit` records that are due, oldest first, and appends them.
    #[inline]
    pub(crate) fn take_due(&mut self, now_us: u64, limit: usize, due: &mut Vec<Due>) {
        let stop_us = self.stop_us;
        let last = now_us.min(stop_us.saturating_sub(1));
        for _ in 0..limit {
            let cursor = match self.taken_over.is_empty() {
                true => &mut self.cursor,
                false => self.earliest(),
            };
            match cursor.peek_us() {
                Some(at_us) if at_us <= last && at_us < stop_us => {
                    due.push(Due { at_us, number: Some(cursor.number()) });
                }
                _ => return,
            }
            cursor.advance();
        }
    }

    /// The cursor whose next record is due first.
    fn earliest(&mut self) -> &mut Cursor<'s> {
        let mut earliest = (&mut self.cursor, NEVER);
        earliest.1 = earliest.0.peek_us().unwrap_or(NEVER);
        for cursor in &mut self.taken_over {
            let due_us = cursor.peek_us().unwrap_or(NEVER);
            if due_us < earliest.1 {
                earliest = (cursor, due_us);
            }
        }
        earliest.0
    }

    /// Whether a record is due.
    pub(crate) fn is_due(&mut self, now_us: u64) -> bool {
        let stop_us = self.stop_us;
        self.earliest().peek_us().is_some_and(|due| due <= now_us && due < stop_us)
    }

    /// Whether records are sent as fast as the client takes them.
    pub(crate) fn is_closed_loop(&self, now_us: u64) -> bool {
        now_us < self.stop_us
            && self.schedule.segment_at(now_us).is_some_and(|s| matches!(s.pace, Pace::Max))
    }

    /// How many records of this instance are due before a moment.
    pub(crate) fn due_before(&self, at_us: u64) -> u64 {
        let at_us = at_us.min(self.stop_us);
        let taken_over = self.taken_over.iter().map(|cursor| cursor.due_before(at_us));
        self.cursor.due_before(at_us) + taken_over.sum::<u64>()
    }

    /// When there is something to do after all that is due was sent at `now_us`: the next due record,
    /// but not before the next tick, or the next closed loop; [`NEVER`] if nothing more comes.
    pub(crate) fn wake_us(&mut self, now_us: u64) -> u64 {
        let stop_us = self.stop_us;
        let due = self.earliest().peek_us().filter(|due| *due < stop_us);
        let next_record = due.map(|due| due.max(now_us + self.tick_us));
        let next_loop = self.next_loop_us(now_us).filter(|start| *start < stop_us);
        next_record.unwrap_or(NEVER).min(next_loop.unwrap_or(NEVER))
    }

    /// When the next closed loop begins.
    fn next_loop_us(&self, now_us: u64) -> Option<u64> {
        let begun = self.closed_loops_us.partition_point(|start| *start <= now_us);
        self.closed_loops_us.get(begun).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::Segment;
    use proptest::prelude::*;

    fn segment(start_us: u64, end_us: u64, per_s: f64) -> Segment {
        let pace = Pace::Rate { from_per_s: per_s, to_per_s: per_s };
        Segment { start_us, end_us, pace }
    }

    #[test]
    fn after_a_stall_everything_that_fell_due_is_still_due() {
        let schedule = Schedule::new([segment(0, 10_000_000, 100.0)]);
        let mut pacer = Pacer::new(&schedule, (1, 0), SHORTEST_TICK_US);
        let mut due = Vec::new();
        pacer.take_due(5_000_000, usize::MAX, &mut due);
        assert_eq!(due.len(), 501);
        assert_eq!((due[0].at_us, due[500].at_us), (0, 5_000_000));
    }

    #[test]
    fn a_slow_rate_sleeps_until_its_next_record() {
        let schedule = Schedule::new([segment(0, 20_000_000, 0.2)]);
        let mut pacer = Pacer::new(&schedule, (1, 0), SHORTEST_TICK_US);
        let mut due = Vec::new();
        pacer.take_due(0, 10, &mut due);
        assert_eq!(pacer.wake_us(0), 5_000_000);
    }

    #[test]
    fn a_fast_rate_sleeps_for_a_tick() {
        let schedule = Schedule::new([segment(0, 1_000_000, 1e6)]);
        let mut pacer = Pacer::new(&schedule, (1, 0), SHORTEST_TICK_US);
        pacer.take_due(0, 10, &mut Vec::new());
        assert_eq!(pacer.wake_us(0), SHORTEST_TICK_US);
    }

    #[test]
    fn who_has_records_linger_is_sent_them_in_longer_ticks_below_a_millisecond() {
        assert_eq!([0, 1_000, 3_000].map(tick_us), [500; 3]);
        assert_eq!([4_200, 5_000, 1_000_000].map(tick_us), [700, 800, 800]);
    }

    #[test]
    fn a_closed_loop_is_woken_up_for_and_left() {
        let max = Segment { start_us: 2_000, end_us: 3_000, pace: Pace::Max };
        let schedule = Schedule::new([segment(0, 1_000, 1_000.0), max]);
        let mut pacer = Pacer::new(&schedule, (1, 0), SHORTEST_TICK_US);
        pacer.take_due(0, 10, &mut Vec::new());
        assert_eq!(pacer.wake_us(0), 2_000);
        assert!(!pacer.is_closed_loop(1_999) && pacer.is_closed_loop(2_000));
        assert!(!pacer.is_closed_loop(3_000));
        pacer.stop(2_500);
        assert!(!pacer.is_closed_loop(2_500));
    }

    #[test]
    fn the_next_of_many_closed_loops_is_found_without_looking_through_all_of_them() {
        const PERIODS: u64 = 10_000;
        let open = |at| segment(at, at + 1_000, 1.0);
        let closed = |at| Segment { start_us: at, end_us: at + 1_000, pace: Pace::Max };
        let starts = (0..PERIODS).map(|period| period * 2_000);
        let schedule = Schedule::new(starts.flat_map(|at| [open(at), closed(at + 1_000)]));
        let mut pacer = Pacer::new(&schedule, (1, 0), SHORTEST_TICK_US);
        pacer.take_due(PERIODS * 2_000, usize::MAX, &mut Vec::new());
        let before = crate::sys::thread_cpu_us();
        for period in (0..PERIODS).cycle().take(100_000) {
            let (at, is_last) = (period * 2_000, period + 1 == PERIODS);
            assert_eq!(pacer.wake_us(at), at + 1_000);
            assert_eq!(pacer.wake_us(at + 1_000), if is_last { NEVER } else { at + 3_000 });
        }
        // One after the other they would be a billion steps and more.
        let took = crate::sys::thread_cpu_us() - before;
        assert!(took < 200_000, "{took} µs");
    }

    #[test]
    fn what_is_taken_over_is_due_among_the_own_records_and_nothing_is_due_before_it() {
        let schedule = Schedule::new([segment(0, 1_000_000, 10.0)]);
        let mut pacer = Pacer::new(&schedule, (2, 0), SHORTEST_TICK_US);
        let mut due = Vec::new();
        pacer.take_due(450_000, usize::MAX, &mut due);
        let counted = pacer.due_before(450_001);
        pacer.take_over(Share { stride: 2, offset: 1, from_us: 500_000 });
        assert_eq!(pacer.due_before(450_001), counted, "what was counted stays");
        assert_eq!(pacer.wake_us(450_000), 500_000);
        pacer.take_due(u64::MAX - 1, usize::MAX, &mut due);
        let due_us: Vec<_> = due.iter().map(|due| due.at_us).collect();
        assert_eq!(due_us, [0, 200_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000]);
        let numbers: Vec<_> = due.iter().filter_map(|due| due.number).collect();
        assert_eq!(numbers, [0, 2, 4, 5, 6, 7, 8, 9], "by the schedule, whoever sends them");
        assert_eq!(due.len() as u64, pacer.due_before(u64::MAX));
    }

    proptest! {
        #[test]
        fn what_is_taken_and_what_is_due_add_up(
            per_s in 0.5..5_000.0, stop_us in 0_u64..3_000_000,
            readings in prop::collection::vec(0_u64..3_000_000, 1..20), limit in 1_usize..500,
        ) {
            let schedule = Schedule::new([segment(0, 2_000_000, per_s)]);
            let mut pacer = Pacer::new(&schedule, (2, 1), SHORTEST_TICK_US);
            let mut readings = readings;
            readings.sort_unstable();
            let mut due: Vec<Due> = Vec::new();
            let mut stopped = false;
            for now_us in readings {
                if now_us >= stop_us && !stopped {
                    pacer.stop(stop_us.max(due.last().map_or(0, |last| last.at_us + 1)));
                    stopped = true;
                }
                pacer.take_due(now_us, limit, &mut due);
                prop_assert!(due.len() as u64 <= pacer.due_before(now_us + 1));
            }
            pacer.take_due(u64::MAX - 1, usize::MAX, &mut due);
            prop_assert!(due.is_sorted_by_key(|due| due.at_us));
            prop_assert_eq!(due.len() as u64, pacer.due_before(u64::MAX));
        }
    }
}
