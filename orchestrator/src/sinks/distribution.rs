//! Latencies in the buckets of Prometheus and OpenTelemetry.
//!
//! Both know histograms whose bounds are powers of 2^(2^-schema): with schema 5 each bound is 2.2 % above the one before.
//! A cell of Mallard's histogram is at most 0.1 % wide and goes to the bucket that its middle lies in, so counts are
//! exact, and a value that lies within half a cell of a bound may be counted on its other side.
//!
//! <https://prometheus.io/docs/specs/native_histograms/>,
//! <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>

use mallard_protocol::histogram::Histogram;
use std::collections::BTreeMap;

/// Bounds are powers of 2^(2^-5). OpenTelemetry calls it the scale.
pub(super) const SCHEMA: i32 = 5;

/// Buckets in an octave.
const IN_OCTAVE: f64 = 32.0;

/// Upper bounds of classic buckets, in microseconds: 0.5 ms to a minute, by 1, 2 and 5.
pub(super) const CLASSIC_US: [u64; 16] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts by bucket since a case began.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Distribution {
    /// All values.
    pub(super) count: u64,
    /// Their sum, in microseconds.
    pub(super) sum_us: u64,
    /// The smallest, in microseconds.
    pub(super) min_us: Option<u64>,
    /// The largest, in microseconds.
    pub(super) max_us: Option<u64>,
    /// Values of zero, which no power bounds.
    pub(super) zero: u64,
    /// By bucket: bucket `i` has what is above `2^((i-1)/32)` s and at most `2^(i/32)` s.
    pub(super) buckets: BTreeMap<i32, u64>,
    /// By [`CLASSIC_US`]: how many were at most that; what is above the last one is in `count` alone.
    classic: [u64; CLASSIC_US.len()],
}

impl Distribution {
    /// Adds what was recorded in an interval.
    pub(super) fn add(&mut self, interval: &Histogram) {
        if interval.is_empty() {
            return;
        }
        self.count += interval.count();
        self.sum_us = self.sum_us.saturating_add(interval.sum());
        self.min_us = self.min_us.into_iter().chain(interval.min()).min();
        self.max_us = self.max_us.max(interval.max());
        for (lowest, highest, n) in interval.buckets() {
            // Of integers, so that it may lie between two of them.
            let middle_us = (as_f64(lowest) + as_f64(highest)) / 2.0;
            match bucket_of(middle_us) {
                None => self.zero += n,
                Some(bucket) => *self.buckets.entry(bucket).or_default() += n,
            }
            let first = CLASSIC_US.partition_point(|bound| as_f64(*bound) < middle_us);
            self.classic[first..].iter_mut().for_each(|at_most| *at_most += n);
        }
    }

    /// The sum in seconds.
    pub(super) fn sum_s(&self) -> f64 {
        as_f64(self.sum_us) / 1e6
    }

    /// Classic buckets: upper bound in seconds, and how many were at most that.
    pub(super) fn classic(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        CLASSIC_US.iter().map(|us| as_f64(*us) / 1e6).zip(self.classic)
    }

    /// The first bucket, and the counts from there to the last one without a hole; empty without values above zero.
    pub(super) fn dense(&self) -> (i32, Vec<u64>) {
        let (Some((first, _)), Some((last, _))) =
            (self.buckets.first_key_value(), self.buckets.last_key_value())
        else {
            return (0, Vec::new());
        };
        let counts = (*first..=*last).map(|at| self.buckets.get(&at).copied().unwrap_or(0));
        (*first, counts.collect())
    }
}

/// The bucket of a value; `None` for zero.
#[expect(clippy::cast_possible_truncation, reason = "logarithms of an hour are small")]
fn bucket_of(us: f64) -> Option<i32> {
    (us > 0.0).then(|| ((us / 1e6).log2() * IN_OCTAVE).ceil() as i32)
}

#[expect(clippy::cast_precision_loss, reason = "an hour has fewer microseconds than 2^53")]
pub(super) fn as_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_the_bucket_that_bounds_them() {
        let bound = |bucket: i32| (f64::from(bucket) / IN_OCTAVE).exp2();
        let mut us = 1;
        while us < 3_600_000_000 {
            let bucket = bucket_of(as_f64(us)).unwrap();
            let seconds = as_f64(us) / 1e6;
            assert!(bound(bucket) >= seconds * (1.0 - 1e-12), "{us}");
            assert!(bound(bucket - 1) < seconds, "{us}");
            us += us / 7 + 1;
        }
        assert_eq!(bucket_of(1e6), Some(0), "an upper bound belongs to its bucket");
        assert_eq!(bucket_of(0.0), None);
    }

    #[test]
    fn counts_and_sums_are_exact_over_intervals() {
        let mut all = Distribution::default();
        let mut us = 0;
        for _ in 0..3 {
            let mut interval = Histogram::new();
            for _ in 0..1_000 {
                interval.record(us);
                us += us / 500 + 1;
            }
            all.add(&interval);
        }
        assert_eq!(all.count, 3_000);
        assert_eq!(all.zero + all.buckets.values().sum::<u64>(), 3_000);
        assert_eq!(all.zero, 1);
        let (first, dense) = all.dense();
        assert_eq!(dense.iter().sum::<u64>(), 2_999);
        assert_eq!(first, bucket_of(1.0).unwrap());
        let rising: Vec<_> = all.classic().map(|(_, n)| n).collect();
        assert!(rising.is_sorted() && rising[0] > 0 && rising[15] <= 3_000, "{rising:?}");
        assert_eq!(all.min_us, Some(0));
    }

    #[test]
    fn a_classic_bound_counts_what_equals_it() {
        let mut interval = Histogram::new();
        [499, 500, 501, 1_000, 1_001].iter().for_each(|us| interval.record(*us));
        let mut all = Distribution::default();
        all.add(&interval);
        let counts: Vec<_> = all.classic().map(|(_, n)| n).take(3).collect();
        assert_eq!(counts, [2, 4, 5]);
    }
}
