//! Where the level of a series changes.
//!
//! Sources: Matteson and James, *A nonparametric approach for multiple change point analysis of multivariate
//! data*, JASA 2014 (the statistic, exponent 1); Székely and Rizzo, *Energy statistics*, 2013; Fleming et al.,
//! *Hunter: using change point detection to hunt for performance regressions*, ICPE 2023 (windows, and the
//! merging of weak changes from the bottom). Differences to Hunter: Welch's test with divisor n − 1, which does
//! not need equal variances, and no segment below [`SHORTEST`] values, of which a variance means little. Nothing
//! is permuted at random, so a series gives the same changes whenever it is asked.

use super::mean::{Difference, Sample, welch};

/// Fewest values on each side of a change.
pub const SHORTEST: usize = 3;

/// Values of a window; each begins half a window after the one before, so that old values do not drown new ones.
const WINDOW: usize = 50;

/// A change is kept if levels that do not differ would look so different this rarely.
pub const P: f64 = 0.001;

/// The same for candidates, before they are held against longer neighbours.
const WEAK_P: f64 = 10.0 * P;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The first value of the new level.
    pub at: usize,
    /// New level less the one before, between the changes beside it.
    pub difference: Difference,
}

/// The changes of a series, each of at least `least`, in order.
#[must_use]
pub fn changes(values: &[f64], least: impl Fn(&[usize]) -> f64) -> Vec<Change> {
    let weak = candidates(values);
    let least = least(&weak);
    let mut kept: Vec<Change> = Vec::new();
    let mut at = weak;
    loop {
        kept.clear();
        kept.extend(between(values, &at));
        let Some(weakest) = weakest(&kept, least) else { return kept };
        at.retain(|index| *index != weakest);
    }
}

/// The change to be given up first: the most probable one if one is too probable, else the smallest if it is too
/// small.
fn weakest(changes: &[Change], least: f64) -> Option<usize> {
    let by = |of: fn(&Change) -> f64| changes.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
    let probable = by(|change| change.difference.p()).filter(|of| of.difference.p() > P);
    let small = by(|change| -change.difference.d.abs());
    let small = small.filter(|of| of.difference.d.abs() < least);
    probable.or(small).map(|change| change.at)
}

/// Changes at these places, each by the values up to its neighbours.
fn between<'a>(values: &'a [f64], at: &'a [usize]) -> impl Iterator<Item = Change> + 'a {
    let ends = at.iter().skip(1).copied().chain([values.len()]);
    let starts = [0].into_iter().chain(at.iter().copied());
    starts.zip(at).zip(ends).filter_map(|((start, at), end)| {
        Some(Change { at: *at, difference: test(&values[start..end], at - start)? })
    })
}

fn test(values: &[f64], at: usize) -> Option<Difference> {
    let (before, after) = values.split_at(at);
    Some(welch(Sample::of(before)?, Sample::of(after)?))
}

/// Places at which the level may change, by windows.
fn candidates(values: &[f64]) -> Vec<usize> {
    let (mut start, mut found) = (0, Vec::new());
    while start < values.len() {
        let end = values.len().min(start + WINDOW);
        let mut inside = Vec::new();
        divide(&values[start..end], start, &mut inside);
        // The next window begins at the newest change, where that is further on than half a window.
        let newest = inside.iter().max().copied().unwrap_or(start);
        found.extend(inside);
        start = newest.max(start + WINDOW / 2);
    }
    found.sort_unstable();
    found.dedup();
    apart(found)
}

/// Two windows may place one change beside each other: the first place counts.
fn apart(sorted: Vec<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for at in sorted {
        if kept.last().is_none_or(|last| at - last >= SHORTEST) {
            kept.push(at);
        }
    }
    kept
}

/// Divides a window at its best place for as long as both sides differ.
fn divide(values: &[f64], start: usize, found: &mut Vec<usize>) {
    let Some(at) = best_split(values) else { return };
    let is_change = test(values, at).is_some_and(|difference| difference.p() <= WEAK_P);
    if !is_change {
        return;
    }
    found.push(start + at);
    let (before, after) = values.split_at(at);
    divide(before, start, found);
    divide(after, start + at, found);
}

/// The place that divides best: the largest scaled energy distance between what lies before it and what comes
/// after it up to any end, each with at least [`SHORTEST`] values.
fn best_split(values: &[f64]) -> Option<usize> {
    let sums = Sums::of(values);
    let mut best: Option<(f64, usize)> = None;
    for end in 2 * SHORTEST..=values.len() {
        for at in SHORTEST..=end - SHORTEST {
            let q = sums.distance(at, end);
            if best.is_none_or(|(most, _)| q > most) {
                best = Some((q, at));
            }
        }
    }
    best.filter(|(q, _)| *q > 0.0).map(|(_, at)| at)
}

/// Sums of absolute differences over rectangles, so that a distance takes a few additions.
struct Sums {
    /// `sums[i][j]`: of |x_a − x_b| over a < i, b < j.
    sums: Vec<Vec<f64>>,
}

impl Sums {
    fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mut sums = vec![vec![0.0; n + 1]; n + 1];
        for i in 0..n {
            for j in 0..n {
                let own = (values[i] - values[j]).abs();
                sums[i + 1][j + 1] = own + sums[i][j + 1] + sums[i + 1][j] - sums[i][j];
            }
        }
        Self { sums }
    }

    /// Over a in `rows`, b in `columns`.
    fn over(&self, rows: (usize, usize), columns: (usize, usize)) -> f64 {
        let at = |i: usize, j: usize| self.sums[i][j];
        at(rows.1, columns.1) - at(rows.0, columns.1) - at(rows.1, columns.0)
            + at(rows.0, columns.0)
    }

    /// `nm / (n + m) · Ê` of what lies before `at` and from there to `end`:
    /// `Ê = 2/(nm) ΣΣ|x_i − y_j| − 2/(n(n − 1)) Σ_{i<k}|x_i − x_k| − 2/(m(m − 1)) Σ_{j<k}|y_j − y_k|`.
    fn distance(&self, at: usize, end: usize) -> f64 {
        let (n, m) = (at as f64, (end - at) as f64);
        let between = 2.0 / (n * m) * self.over((0, at), (at, end));
        // Each pair is in the square twice.
        let before = self.over((0, at), (0, at)) / (n * (n - 1.0));
        let after = self.over((at, end), (at, end)) / (m * (m - 1.0));
        n * m / (n + m) * (between - before - after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::over_time::statistics::Dice;
    use proptest::prelude::*;

    fn places(values: &[f64], least: f64) -> Vec<usize> {
        changes(values, |_| least).iter().map(|change| change.at).collect()
    }

    /// Levels of so many values each with normal noise.
    fn series(levels: &[(f64, usize)], sigma: f64, seed: &str) -> Vec<f64> {
        let mut dice = Dice::from_texts([seed]);
        let values = levels.iter().flat_map(|(level, n)| vec![*level; *n]);
        values.map(|level| level + sigma * dice.normal()).collect()
    }

    /// The same statistic by its definition, without sums.
    fn by_definition(values: &[f64], at: usize, end: usize) -> f64 {
        let (x, y) = (&values[..at], &values[at..end]);
        let (n, m) = (x.len() as f64, y.len() as f64);
        let pairs = |of: &[f64]| -> f64 {
            (0..of.len())
                .flat_map(|i| (i + 1..of.len()).map(move |k| (i, k)))
                .map(|(i, k)| (of[i] - of[k]).abs())
                .sum()
        };
        let between: f64 = x.iter().flat_map(|x| y.iter().map(move |y| (x - y).abs())).sum();
        let e = 2.0 / (n * m) * between
            - 2.0 / (n * (n - 1.0)) * pairs(x)
            - 2.0 / (m * (m - 1.0)) * pairs(y);
        n * m / (n + m) * e
    }

    #[test]
    fn known_changes_are_found_where_they_are() {
        let one = series(&[(0.0, 30), (0.2, 30)], 0.03, "one");
        assert_eq!(places(&one, 0.05), [30]);
        let three = series(&[(0.0, 40), (0.2, 25), (0.1, 60), (0.3, 40)], 0.02, "three");
        assert_eq!(places(&three, 0.05), [40, 65, 125]);
        let first = changes(&one, |_| 0.05)[0];
        assert!((first.difference.d - 0.2).abs() < 0.03, "{first:?}");
    }

    #[test]
    fn noise_alone_has_no_changes_but_for_one_series_in_hundreds() {
        let found = (0..400)
            .filter(|at| {
                !places(&series(&[(0.0, 120)], 0.03, &format!("null {at}")), 0.05).is_empty()
            })
            .count();
        assert!(found <= 2, "{found} of 400");
    }

    #[test]
    fn a_change_that_is_too_small_does_not_count_however_sure_it_is() {
        let small = series(&[(0.0, 60), (0.03, 60)], 0.005, "small");
        assert!(places(&small, 0.05).is_empty());
        assert_eq!(places(&small, 0.01), [60]);
    }

    #[test]
    fn levels_without_any_noise_are_told_apart() {
        let exact = series(&[(1.0, 10), (2.0, 10)], 0.0, "");
        assert_eq!(places(&exact, 0.05), [10]);
        assert!(places(&[1.0; 20], 0.0).is_empty());
        assert!(places(&[1.0, 1.0, 1.0, 2.0, 2.0], 0.0).is_empty(), "too short to tell");
    }

    #[test]
    fn one_outlier_is_no_change() {
        let mut values = series(&[(0.0, 60)], 0.02, "outlier");
        values[30] = 3.0;
        assert!(places(&values, 0.05).is_empty());
    }

    proptest! {
        #[test]
        fn the_statistic_is_its_definition(
            values in prop::collection::vec(-5.0..5.0_f64, 6..30), at in 3_usize..20, rest in 3_usize..20,
        ) {
            let end = (at + rest).min(values.len());
            prop_assume!(at + SHORTEST <= end);
            let fast = Sums::of(&values).distance(at, end);
            prop_assert!((fast - by_definition(&values, at, end)).abs() < 1e-8);
        }

        #[test]
        fn a_level_added_to_all_values_changes_nothing(seed in 0_u32..500, level in -9.0..9.0_f64) {
            let values = series(&[(0.0, 20), (0.3, 20)], 0.05, &seed.to_string());
            let moved: Vec<f64> = values.iter().map(|value| value + level).collect();
            prop_assert_eq!(places(&values, 0.05), places(&moved, 0.05));
        }
    }
}
