//! The slope of a figure over time, by least squares, in a fixed amount of memory.
//!
//! Source: B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
//! Technometrics 4 (1962), in the form for a covariance: means and centred sums are updated one point
//! at a time, so nothing cancels however long the run.

/// Microseconds in an hour.
const HOUR_US: f64 = 3_600_000_000.0;

/// Accumulates points `(time, value)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LeastSquares {
    points: f64,
    first_us: u64,
    last_us: u64,
    mean_time: f64,
    mean_value: f64,
    /// Sum of squares of times about their mean.
    time_squares: f64,
    /// Sum of products of times and values about their means.
    products: f64,
}

impl LeastSquares {
    /// Adds a point.
    #[expect(clippy::cast_precision_loss, reason = "a run's clock stays below 2^53 µs")]
    pub fn record(&mut self, at_us: u64, value: f64) {
        let time = at_us as f64;
        self.first_us = if self.points == 0.0 { at_us } else { self.first_us.min(at_us) };
        self.last_us = self.last_us.max(at_us);
        self.points += 1.0;
        let off_time = time - self.mean_time;
        self.mean_time += off_time / self.points;
        self.mean_value += (value - self.mean_value) / self.points;
        self.time_squares += off_time * (time - self.mean_time);
        self.products += off_time * (value - self.mean_value);
    }

    /// From the first point to the last, in microseconds.
    #[must_use]
    pub fn span_us(&self) -> u64 {
        self.last_us - self.first_us
    }

    /// Growth of the value an hour; `None` with fewer than two moments.
    #[must_use]
    pub fn per_hour(&self) -> Option<f64> {
        (self.points >= 2.0 && self.time_squares > 0.0)
            .then(|| self.products / self.time_squares * HOUR_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_gives_its_slope() {
        let mut line = LeastSquares::default();
        for second in 0..86_400_u64 {
            line.record(second * 1_000_000, 5e8 + 1_000.0 * second as f64);
        }
        let per_hour = line.per_hour().unwrap();
        assert!((per_hour / 3_600_000.0 - 1.0).abs() < 1e-9, "{per_hour}");
    }

    #[test]
    fn one_moment_has_no_slope() {
        let mut line = LeastSquares::default();
        assert_eq!(line.per_hour(), None);
        line.record(5, 1.0);
        line.record(5, 2.0);
        assert_eq!(line.per_hour(), None);
    }

    #[test]
    fn noise_about_a_level_has_hardly_a_slope() {
        let mut level = LeastSquares::default();
        for second in 0..10_000_u64 {
            level.record(second * 1_000_000, if second % 2 == 0 { 99.0 } else { 101.0 });
        }
        assert!(level.per_hour().unwrap().abs() < 0.01);
    }
}
