//! Comparison by ranks: a second opinion that assumes no distribution.

use std::collections::BTreeMap;

/// Largest sum of both numbers of values for which the test is exact, and is made at all.
pub const EXACT_UP_TO: usize = 20;

/// A comparison by ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Two-sided p.
    pub p: f64,
    /// The smallest p that so many values can give at all: 0.10 for 3 + 3.
    pub smallest_p: f64,
}

/// The exact Mann-Whitney test by the distribution of the rank sum over all assignments, with middle ranks
/// for ties; `None` for an empty side or more than [`EXACT_UP_TO`] values. The two-sided p is twice the
/// smaller tail, at most 1. Source: Mann and Whitney, *On a test of whether one of two random variables is
/// stochastically larger than the other*, 1947; the counting is by dynamic programming over doubled ranks,
/// which middle ranks leave whole.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<RankTest> {
    let all = a.len() + b.len();
    if a.is_empty() || b.is_empty() || all > EXACT_UP_TO {
        return None;
    }
    let ranks = doubled_ranks(a, b);
    let observed: usize = ranks[..a.len()].iter().sum();
    let counts = rank_sums(&ranks, a.len());
    let total: f64 = counts.values().sum();
    let tail = |holds: &dyn Fn(usize) -> bool| -> f64 {
        counts.iter().filter(|(sum, _)| holds(**sum)).map(|(_, n)| n).sum::<f64>() / total
    };
    let (below, above) = (tail(&|sum| sum <= observed), tail(&|sum| sum >= observed));
    let p = (2.0 * below.min(above)).min(1.0);
    Some(RankTest { p, smallest_p: (2.0 / total).min(1.0) })
}

/// Twice the middle rank of each value, first those of `a`, then those of `b`.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let values: Vec<f64> = a.iter().chain(b).copied().collect();
    let rank = |value: &f64| {
        let less = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        2 * less + equal + 1
    };
    values.iter().map(rank).collect()
}

/// In how many ways so many of the ranks add up to each sum.
fn rank_sums(ranks: &[usize], chosen: usize) -> BTreeMap<usize, f64> {
    let mut ways: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); chosen + 1];
    ways[0].insert(0, 1.0);
    for rank in ranks {
        for taken in (0..chosen).rev() {
            let more: Vec<_> = ways[taken].iter().map(|(sum, n)| (sum + rank, *n)).collect();
            for (sum, n) in more {
                *ways[taken + 1].entry(sum).or_default() += n;
            }
        }
    }
    ways.pop().unwrap_or_default()
}

/// The median of all differences of a value of `b` and one of `a`. Source: Hodges and Lehmann, *Estimates
/// of location based on rank tests*, 1963.
#[must_use]
pub fn hodges_lehmann(a: &[f64], b: &[f64]) -> Option<f64> {
    let differences = b.iter().flat_map(|b| a.iter().map(move |a| b - a)).collect();
    super::robust::median(differences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_smallest_p_is_that_of_the_tables() {
        let apart = |n: usize| {
            let a: Vec<f64> = (0..n).map(|at| at as f64).collect();
            let b: Vec<f64> = (0..n).map(|at| (100 + at) as f64).collect();
            mann_whitney(&a, &b).unwrap()
        };
        for (n, p) in [(3, 0.1), (4, 0.0286), (5, 0.0079), (10, 1.083e-5)] {
            let test = apart(n);
            assert!((test.p - p).abs() < p * 0.01, "{n}: {}", test.p);
            assert!((test.p - test.smallest_p).abs() < 1e-12);
        }
    }

    #[test]
    fn a_known_table_comes_out() {
        // Mann and Whitney's table: for 3 + 4 values, P(U ≤ 1) = 0.057; two-sided 0.114.
        let test = mann_whitney(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0, 7.0]).unwrap();
        assert!((test.p - 4.0 / 35.0).abs() < 1e-12, "{}", test.p);
        // All equal: nothing can be told.
        assert!((mann_whitney(&[1.0; 3], &[1.0; 3]).unwrap().p - 1.0).abs() < 1e-12);
        assert!(mann_whitney(&[], &[1.0]).is_none());
        assert!(mann_whitney(&[1.0; 11], &[1.0; 10]).is_none());
    }

    #[test]
    fn the_shift_is_the_median_of_differences() {
        assert_eq!(hodges_lehmann(&[1.0, 2.0, 3.0], &[4.0, 5.0, 60.0]), Some(3.0));
        assert_eq!(hodges_lehmann(&[], &[1.0]), None);
    }

    proptest! {
        #[test]
        fn p_is_a_probability_and_does_not_depend_on_the_order_of_sides(
            a in prop::collection::vec(0_u8..6, 1..8), b in prop::collection::vec(0_u8..6, 1..8),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) =
                (a.iter().map(|v| f64::from(*v)).collect(), b.iter().map(|v| f64::from(*v)).collect());
            let (one, other) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert!(one.p > 0.0 && one.p <= 1.0);
            prop_assert!((one.p - other.p).abs() < 1e-9);
            prop_assert!(one.p >= one.smallest_p - 1e-12);
        }
    }
}
