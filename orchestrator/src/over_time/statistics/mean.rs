//! Means of independent values, and how far two of them are apart.

use super::student;

/// Mean and variance of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their variance with divisor n − 1; 0 for one value.
    pub variance: f64,
}

impl Sample {
    /// Of values; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let variance = if n > 1 { squares / (n - 1) as f64 } else { 0.0 };
        Some(Self { n, mean, variance })
    }

    /// The same with a variance of at least `least`.
    #[must_use]
    pub fn at_least(self, least: f64) -> Self {
        Self { variance: self.variance.max(least), ..self }
    }
}

/// A difference of two means with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Second mean less the first.
    pub d: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom.
    pub df: f64,
}

impl Difference {
    /// The interval that holds the difference but for a probability `p`.
    #[must_use]
    pub fn interval(self, p: f64) -> (f64, f64) {
        let half = if self.se > 0.0 { student::critical(p, self.df) * self.se } else { 0.0 };
        (self.d - half, self.d + half)
    }

    /// The probability of a difference at least as large, if there is none: two-sided.
    #[must_use]
    pub fn p(self) -> f64 {
        if self.se > 0.0 {
            return student::two_sided_p(self.d / self.se, self.df);
        }
        if self.d == 0.0 { 1.0 } else { 0.0 }
    }
}

/// Two means of unequal variances. Source: Welch, *The generalization of Student's problem when several
/// different population variances are involved*, Biometrika 1947; degrees of freedom by Satterthwaite 1946.
#[must_use]
pub fn welch(a: Sample, b: Sample) -> Difference {
    let (of_a, of_b) = (a.variance / a.n as f64, b.variance / b.n as f64);
    let squared = of_a + of_b;
    let share = |part: f64, n: usize| part * part / (n.max(2) - 1) as f64;
    let below = share(of_a, a.n) + share(of_b, b.n);
    let df = if below > 0.0 { squared * squared / below } else { (a.n + b.n).max(3) as f64 - 2.0 };
    Difference { d: b.mean - a.mean, se: squared.sqrt(), df }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Closer than this counts as equal.
    const NEAR: f64 = 1e-9;

    #[test]
    fn equal_numbers_and_variances_give_students_own_test() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 4.0, 5.0, 6.0, 7.0]);
        let test = welch(Sample::of(&a).unwrap(), Sample::of(&b).unwrap());
        // By hand: both variances are 2.5, so se = sqrt(2.5/5 + 2.5/5) = 1 and df = 8.
        assert!((test.d - 2.0).abs() < NEAR && (test.se - 1.0).abs() < NEAR);
        assert!((test.df - 8.0).abs() < NEAR);
        assert!((test.p() - 0.080_516).abs() < 1e-5, "{}", test.p());
    }

    #[test]
    fn unequal_variances_give_welchs_own_example() {
        // By hand: variances 4 (n = 4) and 100 (n = 5): se² = 1 + 20, df = 441 / (1/3 + 400/4).
        let a = Sample { n: 4, mean: 10.0, variance: 4.0 };
        let b = Sample { n: 5, mean: 30.0, variance: 100.0 };
        let test = welch(a, b);
        assert!((test.se - 21.0_f64.sqrt()).abs() < NEAR);
        assert!((test.df - 441.0 / (1.0 / 3.0 + 100.0)).abs() < NEAR);
    }

    #[test]
    fn samples_without_any_spread_differ_or_do_not() {
        let a = Sample::of(&[2.0, 2.0, 2.0]).unwrap();
        assert_eq!(welch(a, a).interval(0.01), (0.0, 0.0));
        assert!((welch(a, a).p() - 1.0).abs() < NEAR);
        let b = Sample::of(&[3.0, 3.0, 3.0]).unwrap();
        assert_eq!(welch(a, b).interval(0.01), (1.0, 1.0));
        assert!(welch(a, b).p() < NEAR);
        assert!(Sample::of(&[]).is_none());
    }

    proptest! {
        #[test]
        fn swapping_sides_turns_the_interval_around(
            a in prop::collection::vec(-5.0..5.0_f64, 3..8),
            b in prop::collection::vec(-5.0..5.0_f64, 3..8),
        ) {
            let (a, b) = (Sample::of(&a).unwrap(), Sample::of(&b).unwrap());
            let (low, high) = welch(a, b).interval(0.05);
            let (back_low, back_high) = welch(b, a).interval(0.05);
            prop_assert!((low + back_high).abs() < NEAR && (high + back_low).abs() < NEAR);
            let df = welch(a, b).df;
            let most = (a.n + b.n - 2) as f64;
            let least = (a.n.min(b.n) - 1) as f64;
            prop_assert!(df <= most + NEAR && df >= least - NEAR, "{df} of {least} to {most}");
        }

        #[test]
        fn a_smaller_probability_gives_a_wider_interval(
            values in prop::collection::vec(-5.0..5.0_f64, 3..8), p in 0.002..0.5_f64,
        ) {
            let a = Sample::of(&values).unwrap();
            let (wide, narrow) = (welch(a, a).interval(p / 2.0), welch(a, a).interval(p));
            prop_assert!(wide.0 <= narrow.0 && wide.1 >= narrow.1);
        }
    }
}
