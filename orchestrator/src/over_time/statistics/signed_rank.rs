//! Pairs by ranks: a second opinion that assumes no distribution but that of the coin.

use super::{rank::RankTest, robust::median};
use std::collections::BTreeMap;

/// Most pairs for which the test is made: beyond it the interval has all that is to be known.
const MOST: usize = 60;

/// The exact signed-rank test of differences by the distribution of the rank sum over all signs, with middle ranks for
/// ties and without differences of 0; `None` if nothing is left. The two-sided p is twice the smaller tail, at most 1.
/// Source: Wilcoxon, *Individual comparisons by ranking methods*, 1945; Pratt's treatment of zeros is not used.
#[must_use]
pub fn signed_rank(differences: &[f64]) -> Option<RankTest> {
    let apart: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if apart.is_empty() || apart.len() > MOST {
        return None;
    }
    // Twice the middle ranks, which are whole.
    let ranks: Vec<usize> = apart
        .iter()
        .map(|d| {
            let less = apart.iter().filter(|other| other.abs() < d.abs()).count();
            let equal = apart.iter().filter(|other| other.abs() == d.abs()).count();
            2 * less + equal + 1
        })
        .collect();
    let observed: usize = ranks.iter().zip(&apart).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    let mut ways: BTreeMap<usize, f64> = BTreeMap::from([(0, 1.0)]);
    for rank in &ranks {
        let with: Vec<(usize, f64)> = ways.iter().map(|(sum, n)| (sum + rank, *n)).collect();
        for (sum, n) in with {
            *ways.entry(sum).or_default() += n;
        }
    }
    let total: f64 = ways.values().sum();
    let tail = |holds: &dyn Fn(usize) -> bool| -> f64 {
        ways.iter().filter(|(sum, _)| holds(**sum)).map(|(_, n)| n).sum::<f64>() / total
    };
    let (below, above) = (tail(&|sum| sum <= observed), tail(&|sum| sum >= observed));
    Some(RankTest { p: (2.0 * below.min(above)).min(1.0), smallest_p: (2.0 / total).min(1.0) })
}

/// The median of the means of every two differences, each with itself, too. Source: Hodges and Lehmann, 1963.
#[must_use]
pub fn walsh_median(differences: &[f64]) -> Option<f64> {
    let pairs = differences.iter().enumerate();
    let means = pairs.flat_map(|(at, a)| differences[at..].iter().map(move |b| 0.5 * (a + b)));
    median(means.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_p_is_that_of_the_tables() {
        for (n, p) in [(3, 0.25), (5, 0.0625), (6, 0.03125), (10, 0.001_953_125)] {
            let all: Vec<f64> = (1..=n).map(f64::from).collect();
            let test = signed_rank(&all).unwrap();
            assert!((test.p - p).abs() < 1e-12, "{n}: {}", test.p);
            assert!((test.p - test.smallest_p).abs() < 1e-12);
        }
    }

    #[test]
    fn wilcoxons_own_example_has_its_p() {
        // Darwin's maize as in Wilcoxon 1945: T = 24 of 15 pairs; exact two-sided p is 0.0413.
        let darwin = [49., -67., 8., 16., 6., 23., 28., 41., 14., 29., 56., 24., 75., 60., -48.];
        let test = signed_rank(&darwin).unwrap();
        assert!((test.p - 0.041_26).abs() < 1e-4, "{}", test.p);
    }

    #[test]
    fn signs_that_cancel_tell_nothing_and_zeros_are_left_out() {
        assert!((signed_rank(&[1.0, -1.0, 2.0, -2.0]).unwrap().p - 1.0).abs() < 1e-12);
        assert_eq!(signed_rank(&[0.0, 0.0]), None);
        assert_eq!(signed_rank(&[0.0, 3.0, 4.0, 5.0]), signed_rank(&[3.0, 4.0, 5.0]));
        assert_eq!(walsh_median(&[1.0, 3.0]), Some(2.0));
        assert_eq!(walsh_median(&[]), None);
    }
}
