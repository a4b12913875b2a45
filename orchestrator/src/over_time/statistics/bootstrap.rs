//! Drawing from a run again: blocks of consecutive stretches, whole histograms, merged.
//!
//! Latencies of one run are not independent: a stall is followed by its backlog. Blocks keep what belongs
//! together. Source: Künsch, *The jackknife and the bootstrap for general stationary observations*, Annals
//! of Statistics 1989 (moving blocks).

use super::Dice;
use mallard_protocol::histogram::Histogram;
use std::collections::BTreeMap;

/// Records by value: the cells of histograms that were merged, ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Values, ascending.
    pub values: Vec<u64>,
    /// Records of each value.
    pub counts: Vec<u64>,
}

impl Merged {
    /// The cells of a histogram.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        let cells = || histogram.buckets();
        let most = histogram.max().unwrap_or(u64::MAX);
        Self {
            values: cells().map(|(_, highest, _)| highest.min(most)).collect(),
            counts: cells().map(|(_, _, n)| n).collect(),
        }
    }

    /// How many records.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The smallest values that these shares of the records do not exceed; shares ascend. Empty without
    /// records.
    #[must_use]
    pub fn quantiles(&self, shares: &[f64]) -> Vec<f64> {
        quantiles(&self.values, &self.counts, shares)
    }
}

fn quantiles(values: &[u64], counts: &[u64], shares: &[f64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>();
    let mut found = Vec::with_capacity(shares.len());
    if total == 0 {
        return found;
    }
    let (mut at, mut seen) = (0, counts[0]);
    for share in shares {
        let rank = ((share * total as f64).ceil() as u64).clamp(1, total);
        while seen < rank {
            at += 1;
            seen += counts[at];
        }
        found.push(values[at] as f64);
    }
    found
}

/// Consecutive stretches of a run, each with its histogram, ready to be drawn from.
#[derive(Clone, Debug, Default)]
pub struct Stretches {
    values: Vec<u64>,
    /// For each stretch and one beyond the last: records of each value before it.
    before: Vec<Vec<u64>>,
}

impl Stretches {
    /// Of histograms in the order of time.
    #[must_use]
    pub fn new(stretches: &[Histogram]) -> Self {
        let cells = |histogram: &Histogram| Merged::of(histogram);
        let mut place: BTreeMap<u64, usize> = BTreeMap::new();
        for histogram in stretches {
            place.extend(cells(histogram).values.iter().map(|value| (*value, 0)));
        }
        place.values_mut().enumerate().for_each(|(at, to)| *to = at);
        let mut sums = vec![0; place.len()];
        let mut before = vec![sums.clone()];
        for histogram in stretches {
            let of = cells(histogram);
            of.values.iter().zip(&of.counts).for_each(|(value, n)| sums[place[value]] += n);
            before.push(sums.clone());
        }
        Self { values: place.into_keys().collect(), before }
    }

    /// How many stretches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.before.len().saturating_sub(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them merged.
    #[must_use]
    pub fn whole(&self) -> Merged {
        let counts = self.before.last().cloned().unwrap_or_default();
        Merged { values: self.values.clone(), counts }
    }

    /// As many stretches as there are, drawn in blocks of so many and merged.
    #[must_use]
    pub fn draw(&self, block: usize, dice: &mut Dice) -> Merged {
        let n = self.len();
        let block = block.clamp(1, n.max(1));
        let mut counts = vec![0; self.values.len()];
        let mut left = n;
        while left > 0 {
            let length = block.min(left);
            let from = dice.below(n - block + 1);
            let (start, end) = (&self.before[from], &self.before[from + length]);
            for (count, (start, end)) in counts.iter_mut().zip(start.iter().zip(end)) {
                *count += end - start;
            }
            left -= length;
        }
        Merged { values: self.values.clone(), counts }
    }
}

/// Adds histograms up.
#[must_use]
pub fn merge(parts: &[Merged]) -> Merged {
    let mut parts = parts.iter();
    let first = parts.next().cloned().unwrap_or_default();
    parts.fold(first, |sum, part| add(&sum, part))
}

/// Two histograms in one: both are sorted, so one pass does.
fn add(a: &Merged, b: &Merged) -> Merged {
    let most = a.values.len() + b.values.len();
    let mut sum = Merged { values: Vec::with_capacity(most), counts: Vec::with_capacity(most) };
    let (mut at_a, mut at_b) = (0, 0);
    while at_a < a.values.len() || at_b < b.values.len() {
        let (value_a, value_b) = (a.values.get(at_a), b.values.get(at_b));
        let value = match (value_a, value_b) {
            (Some(a), Some(b)) => *a.min(b),
            (Some(value), None) | (None, Some(value)) => *value,
            (None, None) => break,
        };
        let mut count = 0;
        if value_a == Some(&value) {
            count += a.counts[at_a];
            at_a += 1;
        }
        if value_b == Some(&value) {
            count += b.counts[at_b];
            at_b += 1;
        }
        sum.values.push(value);
        sum.counts.push(count);
    }
    sum
}

/// The mean of values drawn in moving blocks, for figures that are no latencies: as many means as asked
/// for, in the order in which they were drawn.
#[must_use]
pub fn means(series: &[f64], block: usize, times: usize, dice: &mut Dice) -> Vec<f64> {
    let n = series.len();
    if n == 0 {
        return Vec::new();
    }
    let block = block.clamp(1, n);
    let mut mean = || {
        let (mut left, mut sum) = (n, 0.0);
        while left > 0 {
            let length = block.min(left);
            let from = dice.below(n - block + 1);
            sum += series[from..from + length].iter().sum::<f64>();
            left -= length;
        }
        sum / n as f64
    };
    (0..times).map(|_| mean()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::statistics::mean::Sample;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    #[test]
    fn quantiles_are_those_of_the_histogram_itself() {
        let all: Vec<u64> = (1..=5_000).map(|at| at * at % 40_009).collect();
        let histogram = histogram(&all);
        let shares = [0.0, 0.5, 0.9, 0.99, 0.999, 1.0];
        let found = Merged::of(&histogram).quantiles(&shares);
        for (share, found) in shares.iter().zip(found) {
            assert_eq!(histogram.value_at_quantile(*share).map(|v| v as f64), Some(found));
        }
        assert!(Merged::default().quantiles(&shares).is_empty());
    }

    #[test]
    fn means_of_independent_values_spread_as_they_should() {
        let mut dice = Dice::from_texts(["means"]);
        let series: Vec<f64> = (0..400).map(|_| dice.normal()).collect();
        let means = means(&series, 3, 2_000, &mut dice);
        let spread = Sample::of(&means).unwrap().variance * 400.0;
        assert!((0.8..1.2).contains(&spread), "{spread}");
    }

    proptest! {
        #[test]
        fn a_draw_has_records_of_as_many_stretches_as_there_are(
            stretches in prop::collection::vec(prop::collection::vec(1_u64..5_000, 7..8), 1..30),
            block in 1_usize..40, seed in 0_u32..1_000,
        ) {
            let histograms: Vec<_> = stretches.iter().map(|of| histogram(of)).collect();
            let of = Stretches::new(&histograms);
            let drawn = of.draw(block, &mut Dice::from_texts([&*seed.to_string()]));
            prop_assert_eq!(drawn.count(), 7 * stretches.len() as u64);
            prop_assert_eq!(of.whole().count(), drawn.count());
        }

        #[test]
        fn merging_is_adding_up_in_any_order(
            a in prop::collection::vec(1_u64..5_000, 0..30), b in prop::collection::vec(1_u64..5_000, 1..30),
        ) {
            let (one, other) = (Merged::of(&histogram(&a)), Merged::of(&histogram(&b)));
            let both = merge(&[one.clone(), other.clone()]);
            prop_assert_eq!(&both, &merge(&[other, one]));
            prop_assert_eq!(both.count(), (a.len() + b.len()) as u64);
        }
    }
}
