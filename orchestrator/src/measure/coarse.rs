//! A histogram of two significant digits, for what exists once a partition.
//!
//! An expectation on a partition is judged with full precision. But totals and series of a thousand
//! partitions are kept for the whole run, and with three digits they could take 176 KiB each. Here a
//! page of 128 counters covers an octave (1 KiB), so a histogram takes 26 KiB at most and 6 to 10 KiB
//! as a rule; a percentile is at most 1/128 too high, and never beyond the exact maximum.
//!
//! Invariant: cells are unions of the cells of [`Histogram`], so adding one loses nothing but the third
//! digit, in whatever order.

use crate::model::result::Percentiles;
use mallard_protocol::histogram::Histogram;

const BITS: u32 = 7;
/// Cells of a [`Histogram`] in an octave, as a power of two.
const FINE_BITS: u32 = 10;
const CELLS: usize = 1 << BITS;
/// The linear part, and one page an octave up to an hour in microseconds.
const PAGES: usize = 32 - BITS as usize + 1;

/// Counts of values by cells of two significant digits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Coarse {
    pages: Vec<Option<Box<[u64; CELLS]>>>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Coarse {
    /// Adds all that a histogram counted.
    pub(super) fn add(&mut self, from: &Histogram) {
        let (Some(min), Some(max)) = (from.min(), from.max()) else { return };
        if self.pages.is_empty() {
            self.pages.resize_with(PAGES, || None);
        }
        from.for_each_cell(|fine, n| {
            let cell = cell_of_fine(fine);
            let page = self.pages[cell / CELLS].get_or_insert_with(|| Box::new([0; CELLS]));
            page[cell % CELLS] += n;
        });
        self.min = if self.count == 0 { min } else { self.min.min(min) };
        self.max = self.max.max(max);
        self.count += from.count();
        self.sum = self.sum.saturating_add(from.sum());
    }

    /// Adds another one: the same as adding all that was added to it.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.pages.is_empty() {
            self.pages.resize_with(PAGES, || None);
        }
        for (page, from) in self.pages.iter_mut().zip(&other.pages) {
            if let Some(from) = from {
                let page = page.get_or_insert_with(|| Box::new([0; CELLS]));
                page.iter_mut().zip(from.iter()).for_each(|(n, more)| *n += more);
            }
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The value at a quantile, rounded up to the end of its cell and never beyond the maximum.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "ranks are below 2^53"
    )]
    pub(super) fn value_at_quantile(&self, quantile: f64) -> Option<u64> {
        let rank = ((quantile * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, page) in self.pages.iter().enumerate() {
            for (step, n) in page.iter().flat_map(|page| page.iter().enumerate()) {
                seen += n;
                if seen >= rank {
                    return Some(highest_in(at * CELLS + step).min(self.max));
                }
            }
        }
        None
    }

    /// Count, extremes, mean and percentiles.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.value_at_quantile(quantile);
        let some = self.count > 0;
        Percentiles {
            count: self.count,
            min: some.then_some(self.min),
            mean: some.then(|| self.sum as f64 / self.count as f64),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: some.then_some(self.max),
        }
    }
}

fn cell_of(value: u64) -> usize {
    let octave = (64 - (value >> BITS).leading_zeros()).saturating_sub(1);
    ((octave as usize) << BITS) + usize::try_from(value >> octave).unwrap_or(usize::MAX)
}

/// The cell that a cell of a [`Histogram`] is a part of. Below 1,024 that cell is its value; from there on
/// both have a fixed number of cells an octave.
fn cell_of_fine(fine: usize) -> usize {
    const APART: u32 = FINE_BITS - BITS;
    if fine >> FINE_BITS == 0 {
        cell_of(fine as u64)
    } else {
        (fine >> APART) + ((APART as usize) << BITS)
    }
}

fn highest_in(cell: usize) -> u64 {
    let octave = (cell >> BITS).saturating_sub(1);
    let step = (cell - (octave << BITS)) as u64;
    ((step + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallard_protocol::histogram::MAX_VALUE_US;
    use proptest::prelude::*;

    #[test]
    fn every_cell_of_a_histogram_is_in_the_cell_of_its_values() {
        let mut value = 0;
        while value <= MAX_VALUE_US {
            let mut one = Histogram::new();
            one.record(value);
            let (lowest, highest, _) = one.buckets().next().unwrap();
            one.for_each_cell(|fine, _| {
                assert_eq!(cell_of_fine(fine), cell_of(lowest), "{value}");
                assert_eq!(cell_of_fine(fine), cell_of(highest), "{value}");
            });
            value = highest + 1;
        }
    }

    #[test]
    fn merging_is_the_same_as_adding_to_one() {
        let histogram = |values: &[u64]| {
            let mut histogram = Histogram::new();
            values.iter().for_each(|value| histogram.record(*value));
            histogram
        };
        let (few, more) = (histogram(&[3, 900, 70_000]), histogram(&[1, 2_500, 4_000_000]));
        let (mut one, mut left, mut right) =
            (Coarse::default(), Coarse::default(), Coarse::default());
        one.add(&few);
        one.add(&more);
        left.add(&few);
        right.add(&more);
        left.merge(&right);
        assert_eq!(left, one);
        let mut empty = Coarse::default();
        empty.merge(&Coarse::default());
        empty.merge(&one);
        assert_eq!(empty, one);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_full_histogram_to_two_digits(
            values in prop::collection::vec(0_u64..4_000_000_000, 0..200),
        ) {
            let (mut fine, mut coarse) = (Histogram::new(), Coarse::default());
            for value in &values {
                let mut one = Histogram::new();
                one.record(*value);
                fine.add(&one);
                coarse.add(&one);
            }
            prop_assert_eq!(coarse.percentiles().count, fine.count());
            prop_assert_eq!(coarse.percentiles().max, fine.max());
            prop_assert_eq!(coarse.percentiles().min, fine.min());
            for quantile in [0.01, 0.5, 0.99, 1.0] {
                let (ours, theirs) = (coarse.value_at_quantile(quantile), fine.value_at_quantile(quantile));
                prop_assert_eq!(ours.is_some(), theirs.is_some());
                if let (Some(ours), Some(theirs)) = (ours, theirs) {
                    prop_assert!(ours >= theirs && ours - theirs <= theirs / 100 + 1, "{ours} {theirs}");
                }
            }
        }
    }
}
