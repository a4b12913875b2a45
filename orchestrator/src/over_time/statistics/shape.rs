//! How far two distributions are apart as wholes.

use super::{
    Dice,
    bootstrap::{Merged, merge},
};

/// Assignments of runs to sides that are tried at most, beside the one that was.
const ASSIGNMENTS: usize = 999;

/// Steps of the integral over quantiles.
const STEPS: u32 = 1_000;

/// The mean quantile shift `∫ |ln Q_b(q) − ln Q_a(q)| dq`: 0.05 is five per cent apart on average. `None`
/// without records.
#[must_use]
pub fn mean_shift(a: &Merged, b: &Merged) -> Option<f64> {
    let shares: Vec<f64> =
        (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS)).collect();
    let (a, b) = (a.quantiles(&shares), b.quantiles(&shares));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let apart = a.iter().zip(&b).map(|(a, b)| (b.max(1.0) / a.max(1.0)).ln().abs());
    Some(apart.sum::<f64>() / f64::from(STEPS))
}

/// The largest difference of the two distribution functions. Source: Smirnov, *Table for estimating the
/// goodness of fit of empirical distributions*, 1948. `None` without records.
#[must_use]
pub fn smirnov(a: &Merged, b: &Merged) -> Option<f64> {
    let (of_a, of_b) = (a.count() as f64, b.count() as f64);
    if of_a == 0.0 || of_b == 0.0 {
        return None;
    }
    let (mut at_a, mut at_b) = (0, 0);
    let (mut below_a, mut below_b, mut most) = (0_u64, 0_u64, 0.0_f64);
    while at_a < a.values.len() || at_b < b.values.len() {
        let next = |of: &Merged, at: usize| of.values.get(at).copied().unwrap_or(u64::MAX);
        let value = next(a, at_a).min(next(b, at_b));
        if next(a, at_a) == value && at_a < a.values.len() {
            below_a += a.counts[at_a];
            at_a += 1;
        }
        if next(b, at_b) == value && at_b < b.values.len() {
            below_b += b.counts[at_b];
            at_b += 1;
        }
        most = most.max((below_a as f64 / of_a - below_b as f64 / of_b).abs());
    }
    Some(most)
}

/// How often an assignment of the runs to the two sides gives a distance at least as large as the one they
/// had: records of one run hang together, so runs are what is permuted, not records. `None` with fewer than
/// three runs on a side. Source: Good, *Permutation, parametric and bootstrap tests of hypotheses*, 2005;
/// the assignment that was counts as one of those tried, so p is never 0.
#[must_use]
pub fn smirnov_p(a: &[Merged], b: &[Merged], dice: &mut Dice) -> Option<f64> {
    if a.len() < 3 || b.len() < 3 {
        return None;
    }
    let observed = smirnov(&merge(a), &merge(b))?;
    let mut runs: Vec<&Merged> = a.iter().chain(b).collect();
    let mut as_far = 1;
    for _ in 0..ASSIGNMENTS {
        // Fisher and Yates' shuffle.
        for last in (1..runs.len()).rev() {
            runs.swap(last, dice.below(last + 1));
        }
        let side =
            |runs: &[&Merged]| merge(&runs.iter().map(|run| (*run).clone()).collect::<Vec<_>>());
        let (left, right) = runs.split_at(a.len());
        if smirnov(&side(left), &side(right)).is_some_and(|far| far >= observed - 1e-12) {
            as_far += 1;
        }
    }
    Some(f64::from(as_far) / (ASSIGNMENTS + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(u64, u64)]) -> Merged {
        Merged {
            values: pairs.iter().map(|(value, _)| *value).collect(),
            counts: pairs.iter().map(|(_, n)| *n).collect(),
        }
    }

    #[test]
    fn a_factor_on_every_value_is_the_mean_shift() {
        let a = of(&[(1_000, 50), (2_000, 40), (9_000, 10)]);
        let b = of(&[(2_000, 50), (4_000, 40), (18_000, 10)]);
        assert!((mean_shift(&a, &b).unwrap() - 2.0_f64.ln()).abs() < 1e-12);
        assert_eq!(mean_shift(&a, &a), Some(0.0));
        assert_eq!(mean_shift(&a, &Merged::default()), None);
    }

    #[test]
    fn the_largest_difference_of_distribution_functions_is_found_by_hand() {
        let a = of(&[(1, 1), (2, 1), (3, 1), (4, 1)]);
        let b = of(&[(3, 1), (4, 1), (5, 1), (6, 1)]);
        assert_eq!(smirnov(&a, &b), Some(0.5));
        assert_eq!(smirnov(&a, &a), Some(0.0));
        assert_eq!(smirnov(&a, &of(&[(9, 3)])), Some(1.0));
        assert_eq!(smirnov(&a, &Merged::default()), None);
    }

    #[test]
    fn permuting_runs_tells_sides_that_are_apart_from_those_that_are_not() {
        let mut dice = Dice::from_texts(["permute"]);
        let run = |value: u64| of(&[(value, 10), (value + 7, 5)]);
        let a: Vec<_> = (0..5).map(|at| run(100 + at)).collect();
        let b: Vec<_> = (0..5).map(|at| run(200 + at)).collect();
        // Of the 252 assignments of ten runs two have them apart as far.
        let p = smirnov_p(&a, &b, &mut dice).unwrap();
        assert!(p < 0.02, "{p}");
        assert!(smirnov_p(&a, &a, &mut dice).unwrap() > 0.5);
        assert_eq!(smirnov_p(&a[..2], &b, &mut dice), None);
    }
}
