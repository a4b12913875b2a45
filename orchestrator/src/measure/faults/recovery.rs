//! Recovery: from when on all was as good as before a fault.

use super::Interval;
use mallard_protocol::histogram::Histogram;
use std::collections::VecDeque;

/// For how long all has to be as before, in microseconds.
const STEADY_US: u64 = 10_000_000;

/// What "before" is: this much time before the fault, in microseconds.
pub(super) const BEFORE_US: u64 = 60_000_000;

/// Share of the records due that has to be acknowledged in that time, in hundredths.
const DELIVERED_PERCENT: u64 = 99;

/// How much larger the 99th percentile of an interval may be.
const RESPONSE_FACTOR: u64 = 2;

/// How it was before a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// 99th percentile of due to acknowledged, of all that time.
    pub(super) response_p99_us: Option<u64>,
    /// Largest lag.
    pub(super) lag_max: Option<u64>,
}

/// The latest intervals outside faults.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest(VecDeque<(u64, Histogram, Option<u64>)>);

impl Latest {
    /// Takes an interval in which nothing was broken.
    pub(super) fn take(&mut self, interval: &Interval) {
        let Interval { end_us, response, lag, .. } = interval;
        self.0.push_back((*end_us, response.clone(), *lag));
        while self.0.front().is_some_and(|(to_us, ..)| to_us + BEFORE_US <= *end_us) {
            self.0.pop_front();
        }
    }

    /// How it was in the time before a moment.
    pub(super) fn before(&self, at_us: u64) -> Before {
        let near = self.0.iter().filter(|(end_us, ..)| end_us + BEFORE_US > at_us);
        let mut response = Histogram::default();
        let mut lag_max = None;
        for (_, histogram, lag) in near {
            response.add(histogram);
            lag_max = lag_max.max(*lag);
        }
        Before { response_p99_us: response.value_at_quantile(0.99), lag_max }
    }
}

/// Looks for the end of one fault's aftermath.
#[derive(Clone, Debug, Default)]
pub(super) struct Recovery {
    before: Before,
    /// Intervals without a break in which response and lag were as before: start, length, due, acknowledged.
    steady: VecDeque<(u64, u64, u64, u64)>,
    /// It has not been over before this.
    pub(super) not_before_us: u64,
}

impl Recovery {
    /// A fault was undone at a moment.
    pub(super) fn of(before: Before, undone_us: u64) -> Self {
        Self { before, steady: VecDeque::new(), not_before_us: undone_us }
    }

    /// Takes the next interval after the undoing; gives back since when all is as before, once that is known.
    pub(super) fn take(&mut self, interval: &Interval) -> Option<u64> {
        if !self.is_as_before(interval) {
            self.steady.clear();
            self.not_before_us = interval.end_us;
            return None;
        }
        let Interval { start_us, end_us, scheduled, acked, .. } = interval;
        self.steady.push_back((*start_us, end_us - start_us, *scheduled, *acked));
        while let Some((first_us, ..)) = self.steady.front().copied() {
            let mut lasting_us = 0;
            let (mut due, mut delivered) = (0, 0);
            for (_, length_us, scheduled, acked) in &self.steady {
                if lasting_us >= STEADY_US {
                    break;
                }
                lasting_us += length_us;
                due += scheduled;
                delivered += acked;
            }
            if lasting_us < STEADY_US {
                return None;
            }
            if delivered * 100 >= due * DELIVERED_PERCENT {
                return Some(first_us);
            }
            self.steady.pop_front();
            self.not_before_us = self.steady.front().map_or(*end_us, |(start_us, ..)| *start_us);
        }
        None
    }

    /// Whether an interval's response and lag are as before. One in which nothing was due or acknowledged says nothing.
    fn is_as_before(&self, interval: &Interval) -> bool {
        let p99_us = interval.response.value_at_quantile(0.99);
        let is_prompt = match (p99_us, self.before.response_p99_us) {
            (Some(now_us), Some(before_us)) => now_us <= before_us.saturating_mul(RESPONSE_FACTOR),
            _ => false,
        };
        let keeps_up = match (interval.lag, self.before.lag_max) {
            (Some(now), Some(before)) => now <= before,
            (None, None) => true,
            _ => false,
        };
        interval.scheduled > 0 && is_prompt && keeps_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn second(at: u64, (scheduled, acked): (u64, u64), p99_us: u64, lag: u64) -> Interval {
        let mut response = Histogram::default();
        response.record_n(p99_us, acked);
        Interval {
            start_us: at * SECOND_US,
            end_us: (at + 1) * SECOND_US,
            scheduled,
            acked,
            response,
            lag: Some(lag),
            ..Interval::default()
        }
    }

    fn before() -> Before {
        Before { response_p99_us: Some(10_000), lag_max: Some(50) }
    }

    /// Since when all was as before, of seconds from 100 on after an undoing at 99.5 s.
    fn recovered(seconds: impl IntoIterator<Item = ((u64, u64), u64, u64)>) -> Option<u64> {
        let mut recovery = Recovery::of(before(), 99_500_000);
        let mut seconds = (100..).zip(seconds);
        seconds.find_map(|(at, (flow, p99_us, lag))| recovery.take(&second(at, flow, p99_us, lag)))
    }

    const GOOD: ((u64, u64), u64, u64) = ((100, 100), 20_000, 50);

    #[test]
    fn recovery_is_the_first_of_ten_seconds_that_are_as_good_as_before() {
        assert_eq!(recovered([GOOD; 9]), None);
        assert_eq!(recovered([GOOD; 10]), Some(100 * SECOND_US));
        for bad in
            [((100, 100), 20_100, 50), ((100, 100), 20_000, 51), ((100, 0), 0, 0), ((0, 0), 0, 0)]
        {
            let late = [GOOD, GOOD, bad].into_iter().chain([GOOD; 10]);
            assert_eq!(recovered(late), Some(103 * SECOND_US), "{bad:?}");
        }
    }

    #[test]
    fn less_than_99_of_100_over_ten_seconds_is_no_recovery() {
        let short = |acked| [((100, acked), 20_000, 50)].into_iter().chain([GOOD; 10]);
        assert_eq!(recovered(short(90)), Some(100 * SECOND_US), "990 of 1000");
        assert_eq!(recovered(short(89)), Some(101 * SECOND_US), "989 of 1000");
    }

    #[test]
    fn what_was_before_is_of_sixty_seconds() {
        let mut latest = Latest::default();
        latest.take(&second(0, (1, 1), 900_000, 700));
        (1..=60).for_each(|at| latest.take(&second(at, (100, 100), 10_000, at)));
        let near = latest.before(61 * SECOND_US);
        assert_eq!((near.response_p99_us.unwrap() / 100, near.lag_max), (100, Some(60)));
        assert_eq!(latest.before(200 * SECOND_US), Before::default());
        // Without a before there is no recovery, only something that cannot be known.
        let mut recovery = Recovery::of(Before::default(), 0);
        assert!((0..60).all(|at| recovery.take(&second(at, (9, 9), 1, 0)).is_none()));
    }
}
