//! From the figures of two sides to one of four words, with the interval that it rests on.
//!
//! Sources: Kalibera and Jones, *Rigorous benchmarking in reasonable time*, ISMM 2013 (ratios with intervals,
//! variance between runs first); Georges, Buytaert, Eeckhout, *Statistically rigorous Java performance
//! evaluation*, OOPSLA 2007; Schuirmann, *A comparison of the two one-sided tests procedure*, 1987 (the 90 %
//! interval for `same`). The differences are of logarithms, so an interval is one of the ratio.

use super::statistics::{
    mean::{Difference, Sample, welch},
    rank, student,
};
use crate::metrics::direction::Better;
use serde::Serialize;

/// What a comparison says of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Shown to be better by more than the tolerance.
    Better,
    /// Shown to be equal within the tolerance.
    Same,
    /// It cannot be told.
    Unclear,
    /// Shown to be worse by more than the tolerance.
    Worse,
}

impl Word {
    /// The word for people and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Unclear => "unclear",
            Self::Worse => "worse",
        }
    }
}

/// What the interval of a figure rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The spread between the runs of each side.
    BetweenRuns,
    /// The spread between pairs of runs, one of each side.
    Pairs,
    /// The spread between earlier runs of the same fingerprint.
    History,
    /// The spread within these runs only, which says nothing of other days.
    WithinRuns,
    /// Counts, held against each other as they are.
    Exact,
    /// Nothing: no interval.
    Nothing,
}

/// Smallest tolerance that means anything: the cells of the histogram on both sides.
pub const TOLERANCE_FLOOR: f64 = 0.002;

/// The probability of a wrong `worse` or `better` in a comparison, shared among its gating figures.
pub const FALSE_ALARM: f64 = 0.01;

/// The probability outside of intervals of figures that do not gate.
const SHOWN: f64 = 0.05;

/// The probability outside of the interval that shows two figures to be equal: 5 % on each side.
pub(super) const EQUAL: f64 = 0.10;

/// Runs on a side from which their own spread is used.
pub const ENOUGH_RUNS: usize = 3;

/// Normal quantiles of 5 % and 95 % power added up and rounded up for the t distribution, as in [`repeats`].
pub(super) const POWER: f64 = 3.7;

/// Most repeats that are asked for: beyond it the lab has to become quieter.
const MOST_REPEATS: f64 = 1_000.0;

/// What a figure is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Tolerance as a share.
    pub tolerance: f64,
    /// How many figures gate: they share [`FALSE_ALARM`].
    pub gates: usize,
}

impl Rules {
    /// The tolerance on the scale of logarithms.
    pub(super) fn margin(self) -> f64 {
        (1.0 + self.tolerance.max(TOLERANCE_FLOOR)).ln()
    }

    /// The probability outside of the wide interval.
    #[must_use]
    pub fn outside(self, gates: bool) -> f64 {
        if gates { FALSE_ALARM / self.gates.max(1) as f64 } else { SHOWN }
    }
}

/// A figure of one side: its value in each run, and what is known of the noise within a run.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// In each run.
    pub values: &'a [f64],
    /// Mean variance of the value's logarithm within a run; 0 where it is not known.
    pub within: f64,
}

/// What is known of the spread between runs from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Earlier {
    /// Standard deviation of the logarithm.
    pub sigma: f64,
    /// Degrees of freedom.
    pub df: f64,
}

/// A figure, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The word; none for a figure that only describes.
    pub word: Option<Word>,
    /// Whether it is shown not to be worse by more than the tolerance, whatever else it is: a one-sided test
    /// at 5 %.
    pub no_worse: bool,
    /// New over base; none where a value is 0 or missing.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's interval.
    pub low: Option<f64>,
    /// Upper end of the ratio's interval.
    pub high: Option<f64>,
    /// The probability that the interval holds the ratio, as a share.
    pub confidence: f64,
    /// New less base, of the means, for figures that may be 0.
    pub difference: Option<f64>,
    /// What the interval rests on.
    pub basis: Basis,
    /// Standard deviation between runs as a share, where it is known.
    pub spread: Option<f64>,
    /// Runs a side that it would take to say `same` in 19 of 20 cases, where the word is `unclear`.
    pub repeats: Option<u32>,
    /// Second opinion by ranks, which never gates.
    pub ranks: Option<Ranks>,
}

/// The second opinion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranks {
    /// Two-sided p of the exact Mann-Whitney test.
    pub p: f64,
    /// The smallest p that so many runs can give.
    pub smallest_p: f64,
    /// Median of all ratios of a new and a base run (Hodges-Lehmann).
    pub ratio: Option<f64>,
}

/// Judges a figure that gates, or is only shown.
#[must_use]
pub fn judge(
    base: Side<'_>,
    new: Side<'_>,
    better: Option<Better>,
    gates: bool,
    earlier: Option<Earlier>,
    rules: Rules,
) -> Judged {
    let all_positive = base.values.iter().chain(new.values).all(|value| *value > 0.0);
    if base.values.is_empty() || new.values.is_empty() {
        return nothing(better, rules.outside(gates));
    }
    if all_positive {
        by_ratio(base, new, better, gates, earlier, rules)
    } else {
        by_difference(base.values, new.values, better, gates, rules)
    }
}

/// Judges a figure that is counted: equal or not.
#[must_use]
pub fn exactly(base: &[f64], new: &[f64], better: Option<Better>) -> Judged {
    let (Some(a), Some(b)) = (Sample::of(base), Sample::of(new)) else {
        return nothing(better, 0.0);
    };
    let d = b.mean - a.mean;
    let word = better.map(|better| match d * better.sign() {
        worse if worse > 0.0 => Word::Worse,
        worse if worse < 0.0 => Word::Better,
        _ => Word::Same,
    });
    Judged {
        word,
        no_worse: word.is_some_and(|word| word != Word::Worse),
        ratio: (a.mean > 0.0).then(|| b.mean / a.mean),
        difference: Some(d),
        basis: Basis::Exact,
        confidence: 1.0,
        ..nothing(better, 0.0)
    }
}

pub(super) fn nothing(better: Option<Better>, outside: f64) -> Judged {
    Judged {
        word: better.map(|_| Word::Unclear),
        no_worse: false,
        ratio: None,
        low: None,
        high: None,
        confidence: 1.0 - outside,
        difference: None,
        basis: Basis::Nothing,
        spread: None,
        repeats: None,
        ranks: None,
    }
}

fn by_ratio(
    base: Side<'_>,
    new: Side<'_>,
    better: Option<Better>,
    gates: bool,
    earlier: Option<Earlier>,
    rules: Rules,
) -> Judged {
    let logs = |side: Side<'_>| side.values.iter().map(|value| value.ln()).collect::<Vec<_>>();
    let (ln_base, ln_new) = (logs(base), logs(new));
    let (Some(a), Some(b)) = (Sample::of(&ln_base), Sample::of(&ln_new)) else {
        return nothing(better, rules.outside(gates));
    };
    let outside = rules.outside(gates);
    let (difference, basis, sigma) = spread(a, b, (base.within, new.within), earlier);
    let tells = !matches!(basis, Basis::WithinRuns | Basis::Nothing);
    let judged = by_interval(&difference, basis, tells, better, outside, rules);
    Judged {
        spread: sigma,
        repeats: repeats_if(judged.word, sigma, rules),
        ranks: ranks(&ln_base, &ln_new),
        ..judged
    }
}

/// What the interval of a difference of logarithms says; `Unclear` where the spread behind it tells nothing.
pub(super) fn by_interval(
    difference: &Difference,
    basis: Basis,
    tells: bool,
    better: Option<Better>,
    outside: f64,
    rules: Rules,
) -> Judged {
    let (low, high) = difference.interval(outside);
    let narrow = difference.interval(EQUAL);
    let word = better.map(|better| match tells {
        true => word((low, high), narrow, better, rules.margin()),
        false => Word::Unclear,
    });
    let has_interval = basis != Basis::Nothing;
    Judged {
        word,
        no_worse: tells && no_worse(narrow, better, rules.margin()),
        ratio: Some(difference.d.exp()),
        low: has_interval.then(|| low.exp()),
        high: has_interval.then(|| high.exp()),
        basis,
        ..nothing(better, outside)
    }
}

/// The difference of means with the spread that is known best: between runs, from earlier runs, within runs.
fn spread(
    a: Sample,
    b: Sample,
    within: (f64, f64),
    earlier: Option<Earlier>,
) -> (Difference, Basis, Option<f64>) {
    let d = b.mean - a.mean;
    if a.n >= ENOUGH_RUNS && b.n >= ENOUGH_RUNS {
        let (a, b) = (a.at_least(within.0), b.at_least(within.1));
        let sigma = (0.5 * (a.variance + b.variance)).sqrt();
        return (welch(a, b), Basis::BetweenRuns, Some(sigma));
    }
    let runs = |variance: f64, n: usize| variance / n as f64;
    if let Some(earlier) = earlier {
        let variance = (earlier.sigma * earlier.sigma).max(within.0).max(within.1);
        let se = (runs(variance, a.n) + runs(variance, b.n)).sqrt();
        let difference = Difference { d, se, df: earlier.df };
        return (difference, Basis::History, Some(variance.sqrt()));
    }
    let se = (runs(within.0, a.n) + runs(within.1, b.n)).sqrt();
    let basis = if within.0 > 0.0 && within.1 > 0.0 { Basis::WithinRuns } else { Basis::Nothing };
    (Difference { d, se, df: 1e6 }, basis, None)
}

/// An interval of differences, turned so that more is worse.
fn turned((low, high): (f64, f64), better: Better) -> (f64, f64) {
    match better {
        Better::Lower => (low, high),
        Better::Higher => (-high, -low),
    }
}

/// Whether the whole 90 % interval lies on the good side of the tolerance's bad end.
pub(super) fn no_worse(narrow: (f64, f64), better: Option<Better>, margin: f64) -> bool {
    better.is_some_and(|better| turned(narrow, better).1 <= margin)
}

/// The word of a difference of logarithms with its wide and its 90 % interval.
pub(super) fn word(wide: (f64, f64), narrow: (f64, f64), better: Better, margin: f64) -> Word {
    let (wide, narrow) = (turned(wide, better), turned(narrow, better));
    if wide.0 > margin {
        Word::Worse
    } else if wide.1 < -margin {
        Word::Better
    } else if -margin <= narrow.0 && narrow.1 <= margin {
        Word::Same
    } else {
        Word::Unclear
    }
}

/// Figures of which some are 0, as shares of errors: differences instead of ratios. The tolerance is that
/// share of the base's mean.
fn by_difference(
    base: &[f64],
    new: &[f64],
    better: Option<Better>,
    gates: bool,
    rules: Rules,
) -> Judged {
    let outside = rules.outside(gates);
    let (Some(a), Some(b)) = (Sample::of(base), Sample::of(new)) else {
        return nothing(better, outside);
    };
    let all_equal = base.iter().chain(new).all(|value| *value == base[0]);
    if all_equal {
        return exactly(base, new, better);
    }
    let d = b.mean - a.mean;
    let enough = a.n >= ENOUGH_RUNS && b.n >= ENOUGH_RUNS;
    let difference = welch(a, b);
    let margin = rules.tolerance.max(TOLERANCE_FLOOR) * a.mean.abs();
    let narrow = difference.interval(EQUAL);
    let said = |better| word(difference.interval(outside), narrow, better, margin);
    let word = better.map(|better| if enough { said(better) } else { Word::Unclear });
    Judged {
        word,
        no_worse: enough && no_worse(narrow, better, margin),
        difference: Some(d),
        basis: if enough { Basis::BetweenRuns } else { Basis::Nothing },
        repeats: (word == Some(Word::Unclear) && !enough).then_some(5),
        ranks: ranks(base, new).map(|ranks| Ranks { ratio: None, ..ranks }),
        ..nothing(better, outside)
    }
}

/// Runs a side for `same` in 19 of 20 cases, if nothing has changed: `n ≈ 2 (3.7 σ / ln(1 + δ))²`, at least
/// [`ENOUGH_RUNS`]. 3.7 is the quantile of two one-sided tests at 5 % plus that of their power, 1.645 + 1.96,
/// a little more for the t distribution.
#[must_use]
pub fn repeats(sigma: f64, rules: Rules) -> u32 {
    let share = POWER * sigma / rules.margin();
    (2.0 * share * share).ceil().clamp(ENOUGH_RUNS as f64, MOST_REPEATS) as u32
}

fn repeats_if(word: Option<Word>, sigma: Option<f64>, rules: Rules) -> Option<u32> {
    // Without any spread between runs five a side are a beginning.
    (word == Some(Word::Unclear)).then(|| sigma.map_or(5, |sigma| repeats(sigma, rules)))
}

fn ranks(ln_base: &[f64], ln_new: &[f64]) -> Option<Ranks> {
    if ln_base.len() < 2 || ln_new.len() < 2 {
        return None;
    }
    let test = rank::mann_whitney(ln_base, ln_new)?;
    let ratio = rank::hodges_lehmann(ln_base, ln_new).map(f64::exp);
    Some(Ranks { p: test.p, smallest_p: test.smallest_p, ratio })
}

/// The half width, as a share, that so many runs a side leave at a spread: for texts that explain.
#[must_use]
pub fn half_width(sigma: f64, runs: usize, outside: f64) -> f64 {
    let df = (2 * runs).max(3) as f64 - 2.0;
    (student::critical(outside, df) * sigma * (2.0 / runs.max(1) as f64).sqrt()).exp_m1()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
