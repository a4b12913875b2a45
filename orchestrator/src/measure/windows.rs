//! Which windows of an expectation an interval belongs to.

use super::spans::Spans;
use crate::expect::Window;

/// The windows of one expectation, over the time that counts for it.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    spans: Spans,
    total_us: u64,
    plan: Plan,
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
    pub(super) fn new(spans: Spans, window: Window, slope: bool) -> Self {
        let total_us = spans.total_us();
        let plan = match (slope, window) {
            (true, Window::Last(us)) => Plan::Intervals { from_us: total_us.saturating_sub(us) },
            (true, _) => Plan::Intervals { from_us: 0 },
            (false, Window::Whole) => Plan::Whole,
            (false, Window::Last(us)) => Plan::Last(us.min(total_us)),
            (false, Window::Every(us)) => Plan::Every(us.max(1)),
        };
        Self { spans, total_us, plan }
    }

    /// Whether what happens at a moment counts for rates.
    pub(super) fn contains(&self, at_us: u64) -> bool {
        self.spans.contains(at_us)
    }

    /// Numbers of the windows that an interval belongs to. An interval after the time belongs to the
    /// last one: what was due in it and came late must be judged somewhere.
    pub(super) fn of(&self, start_us: u64) -> impl Iterator<Item = u64> + use<> {
        let inside = self.spans.contains(start_us);
        let before = self.spans.before(start_us);
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
        (self.spans.moment(from, false), self.spans.moment(to, true))
    }

    /// Whether a window is over once every interval before a moment is in, and no straggler can
    /// belong to it.
    pub(super) fn is_over(&self, number: u64, released_us: u64) -> bool {
        let end_us = self.bounds(number).1;
        match self.plan {
            Plan::Intervals { .. } => number < released_us,
            _ => end_us <= released_us && self.spans.before(end_us) < self.total_us,
        }
    }

    /// Whether a window was measured to its end. The whole is judged on whatever there was.
    pub(super) fn is_full(&self, number: u64, released_us: u64) -> bool {
        !matches!(self.plan, Plan::Every(_)) || self.bounds(number).1 <= released_us
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
        match self.plan {
            Plan::Intervals { from_us } => {
                (self.spans.moment(from_us, false), self.spans.moment(self.total_us, true))
            }
            _ => (self.bounds(0).0, self.spans.moment(self.total_us, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::schedule::{Phase, PhaseKind, Timeline};
    use proptest::prelude::*;

    fn spans(warm_up: u64, measured: u64) -> Spans {
        let phase = |kind, start_us, end_us| Phase { name: String::new(), kind, start_us, end_us };
        Spans::measured(&Timeline(vec![
            phase(PhaseKind::WarmUp, 0, warm_up),
            phase(PhaseKind::Hold, warm_up, warm_up + measured),
            phase(PhaseKind::Drain, warm_up + measured, warm_up + measured + 50),
        ]))
    }

    proptest! {
        #[test]
        fn windows_tile_the_measured_time(warm_up in 0_u64..20, measured in 1_u64..200, length in 1_u64..60) {
            let windows = Windows::new(spans(warm_up, measured), Window::Every(length), false);
            let mut covered = vec![0_u32; 1 + usize::try_from(measured / length).unwrap()];
            for at in 0..warm_up + measured + 50 {
                let numbers: Vec<_> = windows.of(at).collect();
                prop_assert!(at >= warm_up || numbers.is_empty());
                let inside = windows.contains(at);
                // Every moment is in exactly one tile, or in the rest, which the last window covers.
                prop_assert!(!inside || measured < length || !numbers.is_empty());
                for number in numbers {
                    let (from, to) = windows.bounds(number);
                    prop_assert_eq!(to - from, length);
                    prop_assert!(!inside || (from <= at && at < to));
                    if inside { covered[usize::try_from(number).unwrap()] += 1; }
                }
            }
            for n in covered.into_iter().filter(|n| *n > 0) {
                prop_assert_eq!(u64::from(n), length);
            }
        }

        #[test]
        fn stragglers_belong_to_the_last_window(measured in 1_u64..200, length in 1_u64..60) {
            prop_assume!(length <= measured);
            let windows = Windows::new(spans(5, measured), Window::Every(length), false);
            let number = windows.of(5 + measured + 7).collect::<Vec<_>>();
            prop_assert_eq!(number.len(), 1);
            prop_assert_eq!(windows.bounds(number[0]).1, 5 + measured);
            prop_assert!(!windows.is_over(number[0], 5 + measured + 50));
        }
    }

    #[test]
    fn the_last_window_is_the_end_of_the_measured_time() {
        let windows = Windows::new(spans(5, 100), Window::Last(30), false);
        assert_eq!(windows.bounds(0), (75, 105));
        assert_eq!(windows.of(74).count(), 0);
        assert_eq!(windows.of(75).count(), 1);
    }
}
