//! What a window without a sample says in an outage: how long the records that were due in it waited.
//!
//! Latency is known when a record is acknowledged, so a window in which nothing was has no sample. But
//! whatever was due in it was acknowledged later, at the earliest in the interval in which samples came
//! again: each record waited at least until then. Quantiles of that follow from the schedule.

use super::roster::Roster;
use std::collections::BTreeMap;

/// A window that was judged without samples of some members.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Silent {
    /// By member.
    pub(super) values: Vec<Option<f64>>,
    /// Members whose records are still waited for.
    unanswered: Vec<usize>,
    /// Start and end on the run's clock.
    pub(super) bounds: (u64, u64),
    /// Whether values of it are what records waited at least.
    pub(super) waited: bool,
}

/// Windows without samples, until samples come again.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    /// The quantile that the metric asks for; 1 is the longest wait.
    quantile: f64,
    /// Start of the first interval with a sample, by window and member.
    firsts: BTreeMap<(u64, usize), u64>,
    silent: Vec<Silent>,
}

impl Waits {
    /// For a metric of the time from due to acknowledged or received; `None` for others.
    pub(super) fn of(metric: &str) -> Option<Self> {
        let figure = metric
            .strip_prefix("produce.response.")
            .or_else(|| metric.strip_prefix("end_to_end."))?;
        let quantile = match figure {
            "min" => 0.0,
            "mean" | "p50" => 0.5,
            "p90" => 0.9,
            "p95" => 0.95,
            "p99" => 0.99,
            "p999" => 0.999,
            "p9999" => 0.9999,
            "max" => 1.0,
            _ => return None,
        };
        Some(Self { quantile, firsts: BTreeMap::new(), silent: Vec::new() })
    }

    /// Notes that an interval of a window brought a sample.
    pub(super) fn sampled(&mut self, window: u64, member: usize, start_us: u64) {
        let first = self.firsts.entry((window, member)).or_insert(start_us);
        *first = start_us.min(*first);
    }

    /// Takes a window that is over, in order. What earlier windows waited for may have come with it:
    /// windows that have a value now come back, this one the last; none while records are waited for.
    pub(super) fn take(
        &mut self,
        window: u64,
        values: Vec<Option<f64>>,
        bounds: (u64, u64),
        roster: &Roster,
    ) -> Vec<Silent> {
        for member in 0..values.len() {
            if let Some(first_us) = self.firsts.remove(&(window, member)) {
                self.answer(Some(member), first_us, roster);
            }
        }
        let is_due = roster.is_due_between(bounds.0, bounds.1);
        let unanswered: Vec<_> =
            (0..values.len()).filter(|at| is_due && values[*at].is_none()).collect();
        let waited = !unanswered.is_empty();
        self.silent.push(Silent { values, unanswered, bounds, waited });
        self.answered()
    }

    /// Gives back all that still wait: nothing came until this moment.
    pub(super) fn finish(&mut self, end_us: u64, roster: &Roster) -> Vec<Silent> {
        self.answer(None, end_us, roster);
        self.answered()
    }

    fn answer(&mut self, member: Option<usize>, at_us: u64, roster: &Roster) {
        for silent in &mut self.silent {
            let (values, bounds) = (&mut silent.values, silent.bounds);
            silent.unanswered.retain(|waiting| {
                if member.is_some_and(|member| member != *waiting) {
                    return true;
                }
                values[*waiting] = wait_us(bounds, at_us, self.quantile, roster);
                false
            });
        }
    }

    /// In order, so one that waits holds up those after it.
    fn answered(&mut self) -> Vec<Silent> {
        let waiting = self.silent.iter().position(|silent| !silent.unanswered.is_empty());
        self.silent.drain(..waiting.unwrap_or(self.silent.len())).collect()
    }
}

/// A quantile of the waits of records due in a window and acknowledged at one moment, in microseconds;
/// `None` where no schedule says when they were due.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are below 2^53"
)]
fn wait_us(
    (start_us, end_us): (u64, u64),
    at_us: u64,
    quantile: f64,
    roster: &Roster,
) -> Option<f64> {
    let due_before = |at_us: u64| -> u64 {
        roster.producers.iter().map(|producer| producer.schedule.due_before(at_us)).sum()
    };
    let first = due_before(start_us);
    let due = due_before(end_us).checked_sub(first).filter(|due| *due > 0)?;
    // Who was due first waited longest: so many of them waited longer than the quantile.
    let longer = ((1.0 - quantile) * due as f64).floor() as u64;
    let (mut low_us, mut high_us) = (start_us, end_us);
    while low_us + 1 < high_us {
        let middle_us = low_us + (high_us - low_us) / 2;
        if due_before(middle_us) - first > longer {
            high_us = middle_us;
        } else {
            low_us = middle_us;
        }
    }
    Some(at_us.saturating_sub(low_us) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::simulate::Shape;

    const SECOND_US: u64 = 1_000_000;

    fn near(value: Option<f64>, expected_s: f64) {
        let value_s = value.expect("a value") / 1e6;
        assert!((value_s - expected_s).abs() < 0.25, "{value_s} s, and not {expected_s} s");
    }

    #[test]
    fn a_window_without_samples_waits_for_the_first_one_after_it() {
        let roster = Roster::new(&Shape::default().plan());
        let mut waits = Waits::of("produce.response.max").expect("a latency");
        let window = (2 * SECOND_US, 4 * SECOND_US);
        assert_eq!(waits.take(0, vec![None], window, &roster), []);
        waits.sampled(1, 0, 5 * SECOND_US);
        let next = (4 * SECOND_US, 6 * SECOND_US);
        let answered = waits.take(1, vec![Some(7.0)], next, &roster);
        assert_eq!(answered.len(), 2);
        near(answered[0].values[0], 3.0);
        assert_eq!(answered[1].values, [Some(7.0)]);
    }

    #[test]
    fn a_quantile_is_of_the_schedule() {
        let roster = Roster::new(&Shape::default().plan());
        let window = (2 * SECOND_US, 4 * SECOND_US);
        near(wait_us(window, 10 * SECOND_US, 0.5, &roster), 7.0);
        near(wait_us(window, 10 * SECOND_US, 1.0, &roster), 8.0);
        near(wait_us(window, 10 * SECOND_US, 0.0, &roster), 6.0);
    }

    #[test]
    fn what_never_comes_waits_to_the_end() {
        let roster = Roster::new(&Shape::default().plan());
        let mut waits = Waits::of("end_to_end.max").expect("a latency");
        let window = (2 * SECOND_US, 4 * SECOND_US);
        assert_eq!(waits.take(0, vec![None, Some(1.0)], window, &roster), []);
        let answered = waits.finish(9 * SECOND_US, &roster);
        near(answered[0].values[0], 7.0);
        assert_eq!(answered[0].values[1], Some(1.0));
        assert!(Waits::of("produce.acked.rate").is_none());
    }
}
