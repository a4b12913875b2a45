//! Which windows of an expectation an interval belongs to.

use super::spans::Spans;
use crate::expect::Window;
use mallard_protocol::schedule::Timeline;

/// The windows of one expectation, over the time that counts for it. An interval belongs to a window
/// as a whole, by its start, so bounds that do not fall on a cut are moved to the next one.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    spans: Spans,
    total_us: u64,
    plan: Plan,
    timeline: Timeline,
    /// When the load ended, if that was before its planned end.
    stopped_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// One window.
    Whole,
    /// The last so many microseconds.
    Last(u64),
    /// Tiles of this length, and, where they leave a rest, one more window of the same length that ends
    /// with the time: so every moment is judged, and only in full windows.
    Every(u64),
    /// One window an interval, from this much of the time on: the points of a slope.
    Intervals { from_us: u64 },
}

impl Windows {
    pub(super) fn new(timeline: &Timeline, spans: Spans, window: Window, slope: bool) -> Self {
        let total_us = spans.total_us();
        let plan = match (slope, window) {
            (true, Window::Last(us)) => Plan::Intervals { from_us: total_us.saturating_sub(us) },
            (true, _) => Plan::Intervals { from_us: 0 },
            (false, Window::Whole) => Plan::Whole,
            (false, Window::Last(us)) => Plan::Last(us.min(total_us)),
            (false, Window::Every(us)) => Plan::Every(us.max(1)),
        };
        Self { spans, total_us, plan, timeline: timeline.clone(), stopped_us: None }
    }

    /// Ends the load early, at a cut: no window goes on beyond it, and one that does not end before it was
    /// not measured to its end.
    pub(super) fn stop(&mut self, at_us: u64) {
        self.stopped_us = Some(at_us);
    }

    /// Whether the load ended early.
    pub(super) fn are_stopped(&self) -> bool {
        self.stopped_us.is_some()
    }

    fn ended_us(&self) -> u64 {
        self.stopped_us.unwrap_or(u64::MAX)
    }

    /// Whether what happens at a moment counts for rates.
    pub(super) fn contains(&self, at_us: u64) -> bool {
        at_us < self.ended_us() && self.spans.contains(at_us)
    }

    /// Numbers of the windows that an interval belongs to. An interval after the time belongs to the
    /// last one: what was due in it and came late must be judged somewhere.
    pub(super) fn of(&self, start_us: u64) -> impl Iterator<Item = u64> + use<> {
        let inside = self.contains(start_us);
        let before = self.spans.before(start_us.min(self.ended_us()));
        let offset = if inside { Some(before) } else { before.checked_sub(1) };
        let (first, second) =
            offset.map_or((None, None), |offset| self.at(offset, inside, start_us));
        first.into_iter().chain(second)
    }

    fn at(&self, offset: u64, inside: bool, start_us: u64) -> (Option<u64>, Option<u64>) {
        match self.plan {
            Plan::Whole => (Some(0), None),
            Plan::Last(us) => ((offset >= self.total_us - us).then_some(0), None),
            Plan::Intervals { from_us } => {
                ((inside && offset >= from_us).then_some(start_us), None)
            }
            Plan::Every(us) => {
                let tiles = self.total_us / us;
                let tile = Some(offset / us).filter(|tile| *tile < tiles);
                let rest = tiles > 0 && !self.total_us.is_multiple_of(us);
                let last = (rest && offset >= self.total_us - us).then_some(tiles);
                (tile, last)
            }
        }
    }

    /// Start and end of a window on the run's clock.
    pub(super) fn bounds(&self, number: u64) -> (u64, u64) {
        let (from, to) = match self.plan {
            Plan::Whole => (0, self.total_us),
            Plan::Last(us) => (self.total_us - us, self.total_us),
            Plan::Intervals { .. } => return (number, number),
            Plan::Every(us) if (number + 1) * us <= self.total_us => {
                (number * us, (number + 1) * us)
            }
            Plan::Every(us) => (self.total_us.saturating_sub(us), self.total_us),
        };
        (self.cut_from(self.spans.moment(from, false)), self.cut_from(self.spans.moment(to, true)))
    }

    /// The first cut that is not before a moment.
    fn cut_from(&self, at_us: u64) -> u64 {
        at_us.checked_sub(1).map_or(0, |before| self.timeline.next_cut_us(before))
    }

    /// Whether a window is over once every interval before a moment is in, and no straggler can
    /// belong to it.
    pub(super) fn is_over(&self, number: u64, released_us: u64) -> bool {
        let end_us = self.bounds(number).1;
        match self.plan {
            Plan::Intervals { .. } => number < released_us,
            _ => {
                let time_us = self.spans.before(self.ended_us());
                end_us <= released_us && self.spans.before(end_us) < time_us
            }
        }
    }

    /// Whether a window was measured to its end. The whole is judged on whatever there was of it, and
    /// nothing if the load ended before it began.
    pub(super) fn is_full(&self, number: u64, released_us: u64) -> bool {
        let (start_us, end_us) = self.bounds(number);
        match self.plan {
            Plan::Every(_) => end_us <= released_us.min(self.ended_us()),
            Plan::Last(_) => end_us <= self.ended_us(),
            Plan::Whole => start_us < self.ended_us(),
            Plan::Intervals { from_us } => {
                from_us == 0 || self.spans.moment(self.total_us, true) <= self.ended_us()
            }
        }
    }

    /// Whether windows are the points of a slope.
    pub(super) fn are_points(&self) -> bool {
        matches!(self.plan, Plan::Intervals { .. })
    }

    /// Whether there are several windows to judge.
    pub(super) fn are_many(&self) -> bool {
        matches!(self.plan, Plan::Every(_))
    }

    /// Start and end of the time that is judged.
    pub(super) fn judged(&self) -> (u64, u64) {
        let end_us = self.spans.moment(self.total_us, true).min(self.ended_us());
        match self.plan {
            Plan::Intervals { from_us } => (self.spans.moment(from_us, false), end_us),
            _ => (self.bounds(0).0, end_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::{Phase, PhaseKind};
    use proptest::prelude::*;

    const HALF_US: u64 = 500_000;

    /// Lengths in half seconds.
    fn timeline(warm_up: u64, measured: u64) -> Timeline {
        let phase = |kind, start, end| Phase {
            name: String::new(),
            kind,
            start_us: start * HALF_US,
            end_us: end * HALF_US,
        };
        Timeline(vec![
            phase(PhaseKind::WarmUp, 0, warm_up),
            phase(PhaseKind::Hold, warm_up, warm_up + measured),
            phase(PhaseKind::Drain, warm_up + measured, warm_up + measured + 10),
        ])
    }

    fn cells(timeline: &Timeline) -> Vec<(u64, u64)> {
        let mut cells = vec![(0, timeline.next_cut_us(0))];
        let end_us = timeline.0.last().unwrap().end_us;
        while cells.last().unwrap().1 < end_us {
            let start_us = cells.last().unwrap().1;
            cells.push((start_us, timeline.next_cut_us(start_us)));
        }
        cells
    }

    proptest! {
        #[test]
        fn windows_tile_the_measured_time(warm_up in 1_u64..20, measured in 1_u64..200, length in 2_u64..60) {
            let timeline = timeline(warm_up, measured);
            let length_us = length * HALF_US;
            let spans = Spans::measured(&timeline);
            let windows = Windows::new(&timeline, spans, Window::Every(length_us), false);
            let mut covered = std::collections::BTreeMap::new();
            for (start_us, end_us) in cells(&timeline) {
                let numbers: Vec<_> = windows.of(start_us).collect();
                let inside = windows.contains(start_us);
                prop_assert!(inside || start_us > warm_up * HALF_US || numbers.is_empty());
                // Every interval is in exactly one tile, or in the rest, which the last window covers.
                prop_assert!(!inside || measured < length || (1..=2).contains(&numbers.len()));
                for number in numbers.into_iter().filter(|_| inside) {
                    let (from, to) = windows.bounds(number);
                    prop_assert!(from <= start_us && end_us <= to);
                    *covered.entry(number).or_insert(0) += end_us - start_us;
                }
            }
            let tiles = measured / length;
            let rest = u64::from(tiles > 0 && !measured.is_multiple_of(length));
            prop_assert_eq!(covered.len() as u64, tiles + rest);
            for (number, time_us) in covered {
                let (from, to) = windows.bounds(number);
                prop_assert_eq!(time_us, to - from);
                prop_assert!(time_us.abs_diff(length_us) < 1_000_000);
            }
        }

        #[test]
        fn stragglers_belong_to_the_last_window(measured in 1_u64..200, length in 2_u64..60) {
            prop_assume!(length <= measured);
            let timeline = timeline(5, measured);
            let spans = Spans::measured(&timeline);
            let windows = Windows::new(&timeline, spans, Window::Every(length * HALF_US), false);
            let end_us = (5 + measured) * HALF_US;
            let number = windows.of(end_us + 7).collect::<Vec<_>>();
            prop_assert_eq!(number.len(), 1);
            prop_assert_eq!(windows.bounds(number[0]).1, end_us);
            prop_assert!(!windows.is_over(number[0], end_us + 50));
        }
    }

    #[test]
    fn a_load_that_ends_early_has_no_window_beyond_its_end() {
        let timeline = timeline(10, 200);
        let windows = |window, slope| {
            let mut windows = Windows::new(&timeline, Spans::measured(&timeline), window, slope);
            windows.stop(28_000_000);
            windows
        };
        let every = windows(Window::Every(10_000_000), false);
        assert!(every.contains(27_000_000) && !every.contains(28_000_000));
        assert!(every.is_full(1, 40_000_000) && !every.is_full(2, 40_000_000));
        // The drain goes on, and what comes late in it belongs to the time that was measured.
        assert_eq!(every.of(39_000_000).collect::<Vec<_>>(), [2]);
        assert!(windows(Window::Whole, false).is_full(0, 40_000_000));
        assert!(!windows(Window::Last(30_000_000), false).is_full(0, 40_000_000));
        assert!(windows(Window::Whole, true).is_full(0, 40_000_000));
        assert!(!windows(Window::Last(30_000_000), true).is_full(0, 40_000_000));
        assert_eq!(windows(Window::Whole, true).judged(), (5_000_000, 28_000_000));
    }

    #[test]
    fn stragglers_of_a_load_that_ends_early_belong_to_its_last_window() {
        let timeline = timeline(10, 200);
        let spans = Spans::measured(&timeline);
        let mut windows = Windows::new(&timeline, spans, Window::Every(10_000_000), false);
        windows.stop(25_000_000);
        assert_eq!(windows.of(26_000_000).collect::<Vec<_>>(), [1]);
        assert!(!windows.is_over(1, 30_000_000) && windows.is_full(1, 30_000_000));
    }

    #[test]
    fn the_last_window_is_the_end_of_the_measured_time() {
        let timeline = timeline(10, 200);
        let spans = Spans::measured(&timeline);
        let windows = Windows::new(&timeline, spans, Window::Last(30_000_000), false);
        assert_eq!(windows.bounds(0), (75_000_000, 105_000_000));
        assert_eq!(windows.of(74_000_000).count(), 0);
        assert_eq!(windows.of(75_000_000).count(), 1);
    }
}
