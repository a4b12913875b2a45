//! Figures of pairs of runs, one of each side, that were taken in turns: what drifts in the lab is in both of a pair and
//! cancels.
//!
//! Sources: one-sample t on the differences of logarithms (Student, *The probable error of a mean*, 1908: its own
//! examples are pairs); words and bounds as in [`super::judge`].

use super::{
    judge::{
        Basis, ENOUGH_RUNS, EQUAL, Judged, POWER, Ranks, Rules, Side, by_interval, exactly,
        no_worse, nothing, word,
    },
    statistics::{
        Dice,
        mean::{Difference, Sample},
        signed_rank::{signed_rank, walsh_median},
        student,
    },
};
use crate::{metrics::direction::Better, over_time::judge::Word};
use serde::Serialize;

/// Up to so many pairs all signs are tried, beyond it as many are drawn.
const ALL_SIGNS_UP_TO: usize = 12;

/// Most pairs that are asked for: beyond it the lab has to become quieter.
const MOST_PAIRS: f64 = 1_000.0;

/// Judges a figure of pairs: the values of both sides stand in the order of the pairs.
#[must_use]
pub fn judge_pairs(
    base: Side<'_>,
    new: Side<'_>,
    better: Option<Better>,
    gates: bool,
    rules: Rules,
) -> Judged {
    let all_positive = base.values.iter().chain(new.values).all(|value| *value > 0.0);
    if base.values.is_empty() || base.values.len() != new.values.len() {
        return nothing(better, rules.outside(gates));
    }
    match all_positive {
        true => by_ratio(base, new, better, rules.outside(gates), rules),
        false => by_difference(base.values, new.values, better, rules.outside(gates), rules),
    }
}

/// Logarithms of the ratios of pairs.
#[must_use]
pub fn log_ratios(base: &[f64], new: &[f64]) -> Vec<f64> {
    base.iter().zip(new).map(|(base, new)| new.ln() - base.ln()).collect()
}

fn by_ratio(
    base: Side<'_>,
    new: Side<'_>,
    better: Option<Better>,
    outside: f64,
    rules: Rules,
) -> Judged {
    let d = log_ratios(base.values, new.values);
    let Some(sample) = Sample::of(&d) else { return nothing(better, outside) };
    let within = base.within + new.within;
    let enough = sample.n >= ENOUGH_RUNS;
    let difference = of_pairs(sample, within);
    let basis = match enough {
        true => Basis::Pairs,
        false if base.within > 0.0 && new.within > 0.0 => Basis::WithinRuns,
        false => Basis::Nothing,
    };
    let judged = by_interval(&difference, basis, enough, better, outside, rules);
    let sigma = enough.then(|| sample.variance.max(within).sqrt());
    Judged {
        spread: sigma,
        repeats: (judged.word == Some(Word::Unclear))
            .then(|| sigma.map_or(5, |sigma| pairs_needed(sigma, rules))),
        ranks: ranks(&d, true),
        ..judged
    }
}

/// The mean of differences; their spread is never less than what runs spread within themselves.
fn of_pairs(sample: Sample, within: f64) -> Difference {
    let n = sample.n as f64;
    match sample.n >= ENOUGH_RUNS {
        true => {
            let variance = sample.variance.max(within);
            Difference { d: sample.mean, se: (variance / n).sqrt(), df: n - 1.0 }
        }
        false => Difference { d: sample.mean, se: (within / n).sqrt(), df: 1e6 },
    }
}

fn by_difference(
    base: &[f64],
    new: &[f64],
    better: Option<Better>,
    outside: f64,
    rules: Rules,
) -> Judged {
    let d: Vec<f64> = base.iter().zip(new).map(|(base, new)| new - base).collect();
    let (Some(sample), Some(of_base)) = (Sample::of(&d), Sample::of(base)) else {
        return nothing(better, outside);
    };
    if base.iter().chain(new).all(|value| *value == base[0]) {
        return exactly(base, new, better);
    }
    let enough = sample.n >= ENOUGH_RUNS;
    let difference = of_pairs(sample, 0.0);
    let margin = rules.tolerance * of_base.mean.abs();
    let narrow = difference.interval(EQUAL);
    let said = |better| word(difference.interval(outside), narrow, better, margin);
    let word = better.map(|better| if enough { said(better) } else { Word::Unclear });
    Judged {
        word,
        no_worse: enough && no_worse(narrow, better, margin),
        difference: Some(sample.mean),
        basis: if enough { Basis::Pairs } else { Basis::Nothing },
        repeats: (word == Some(Word::Unclear) && !enough).then_some(5),
        ranks: ranks(&d, false),
        ..nothing(better, outside)
    }
}

fn ranks(d: &[f64], is_log: bool) -> Option<Ranks> {
    let test = signed_rank(d)?;
    let ratio = walsh_median(d).filter(|_| is_log).map(f64::exp);
    Some(Ranks { p: test.p, smallest_p: test.smallest_p, ratio })
}

/// Pairs for `same` in 19 of 20 cases, if nothing has changed: `n ≈ (3.7 σ / ln(1 + δ))²`, σ being the spread of the
/// pairs' differences.
#[must_use]
pub fn pairs_needed(sigma: f64, rules: Rules) -> u32 {
    let share = POWER * sigma / rules.margin();
    (share * share).ceil().clamp(ENOUGH_RUNS as f64, MOST_PAIRS) as u32
}

/// What pairs of two equal sides tell of a lab, for one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wolf {
    /// The metric.
    pub metric: String,
    /// How much single pairs spread, as a share.
    pub spread: f64,
    /// Pairs whose two runs are further apart than the tolerance: a limit on single runs would have cried wolf.
    pub beyond: usize,
    /// Of how many.
    pub of: usize,
    /// How often the comparison of so many pairs says `worse` or `better`, as a share of all signs that the pairs
    /// could have had: the sides are equal, so each sign is as likely as the other.
    pub alarms: f64,
    /// The smallest change that so many pairs find in 19 of 20 cases, as a share.
    pub finds: f64,
}

/// What pairs of equal sides tell of the lab; `None` with too few of them.
#[must_use]
pub fn wolf(
    metric: &str,
    d: &[f64],
    within: f64,
    gates: bool,
    rules: Rules,
    dice: &mut Dice,
) -> Option<Wolf> {
    let sample = Sample::of(d).filter(|sample| sample.n >= ENOUGH_RUNS)?;
    let (n, margin) = (sample.n as f64, rules.margin());
    let wide = student::critical(rules.outside(gates), n - 1.0);
    let squares: f64 = d.iter().map(|d| d * d).sum();
    let is_alarm = |mean: f64| {
        let variance = ((squares - n * mean * mean) / (n - 1.0)).max(within).max(0.0);
        mean.abs() - wide * (variance / n).sqrt() > margin
    };
    let signs = 1_u64 << ALL_SIGNS_UP_TO.min(sample.n);
    let mut alarms = 0_u64;
    for at in 0..signs {
        let drawn = if sample.n <= ALL_SIGNS_UP_TO { at } else { 0 };
        let mut sum = 0.0;
        for (bit, d) in d.iter().enumerate() {
            let turned = match sample.n <= ALL_SIGNS_UP_TO {
                true => drawn >> bit & 1 == 1,
                false => dice.number() & 1 == 1,
            };
            sum += if turned { -d } else { *d };
        }
        alarms += u64::from(is_alarm(sum / n));
    }
    let sigma = sample.variance.max(within).sqrt();
    let finds = margin + (wide + student::critical(EQUAL, n - 1.0)) * sigma / n.sqrt();
    Some(Wolf {
        metric: metric.to_owned(),
        spread: sigma,
        beyond: d.iter().filter(|d| d.abs() > margin).count(),
        of: sample.n,
        alarms: alarms as f64 / signs as f64,
        finds: finds.exp_m1(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { tolerance: 0.05, gates: 1 };

    fn judged(base: &[f64], new: &[f64]) -> Judged {
        let side = |values| Side { values, within: 0.0 };
        judge_pairs(side(base), side(new), Some(Better::Lower), true, RULES)
    }

    #[test]
    fn what_drifts_in_both_of_a_pair_cancels() {
        // The lab becomes twice as slow from pair to pair; the new side is 20 % slower in each.
        let base = [100.0, 210.0, 390.0, 820.0, 1_600.0];
        let new: Vec<f64> =
            base.iter().zip([1.2, 1.21, 1.19, 1.2, 1.2]).map(|(b, r)| b * r).collect();
        let of = judged(&base, &new);
        assert_eq!((of.word, of.basis), (Some(Word::Worse), Basis::Pairs));
        assert!((of.ratio.unwrap() - 1.2).abs() < 0.01);
        assert!(of.low.unwrap() > 1.15 && of.high.unwrap() < 1.25, "{of:?}");
        let side = |values| Side { values, within: 0.0 };
        let apart = super::super::judge::judge(
            side(&base),
            side(&new),
            Some(Better::Lower),
            true,
            None,
            RULES,
        );
        assert_eq!(apart.word, Some(Word::Unclear), "side by side it cannot be told");
    }

    #[test]
    fn the_interval_is_students() {
        // Differences 1 … 5 (hundredths): mean 3, deviation 1.5811, 95 % of t with 4 degrees: 2.776 · 0.7071.
        let base = [1.0; 5];
        let new = [0.01, 0.02, 0.03, 0.04, 0.05].map(f64::exp);
        let side = |values| Side { values, within: 0.0 };
        let of = judge_pairs(side(&base), side(&new), None, false, RULES);
        assert!((of.low.unwrap().ln() - (0.03 - 0.019_63)).abs() < 1e-4, "{of:?}");
        assert!((of.high.unwrap().ln() - (0.03 + 0.019_63)).abs() < 1e-4, "{of:?}");
        assert!((of.spread.unwrap() - 0.015_811).abs() < 1e-5);
        assert!((of.ranks.unwrap().p - 0.0625).abs() < 1e-12);
    }

    #[test]
    fn two_pairs_tell_nothing_and_say_how_many_would() {
        let of = judged(&[100.0, 101.0], &[150.0, 151.0]);
        assert_eq!((of.word, of.repeats), (Some(Word::Unclear), Some(5)));
        let noisy = judged(&[100.0, 100.0, 100.0], &[110.0, 90.0, 101.0]);
        assert_eq!(noisy.word, Some(Word::Unclear));
        // σ = 10 %: (3.7 · 0.1 / ln 1.05)² = 58.
        assert!((50..80).contains(&noisy.repeats.unwrap()), "{noisy:?}");
    }

    #[test]
    fn quiet_runs_within_themselves_do_not_pass_for_certainty() {
        let values = [100.0; 4];
        let new = [107.0; 4];
        let side = |values| Side { values, within: 0.01 };
        let of = judge_pairs(side(&values), side(&new), Some(Better::Lower), true, RULES);
        assert_eq!(of.word, Some(Word::Unclear), "four equal differences may be chance");
    }

    #[test]
    fn counts_that_may_be_zero_are_compared_by_difference() {
        let of = judged(&[0.0, 0.0, 0.0, 0.0], &[0.1, 0.1, 0.11, 0.1]);
        assert_eq!(of.word, Some(Word::Worse));
        assert_eq!(judged(&[0.0; 3], &[0.0; 3]).word, Some(Word::Same));
    }

    #[test]
    fn a_quiet_lab_never_cries_and_a_limit_on_single_runs_does_in_a_loud_one() {
        let mut dice = Dice::from_texts(["wolf"]);
        let quiet = [0.01, -0.01, 0.005, -0.004, 0.002, 0.0];
        let of = wolf("m", &quiet, 0.0, true, RULES, &mut dice).unwrap();
        assert_eq!((of.beyond, of.of), (0, 6));
        assert!(of.alarms == 0.0 && of.finds < 0.1, "{of:?}");
        let loud: Vec<f64> = (0..20).map(|_| 0.2 * dice.normal()).collect();
        let of = wolf("m", &loud, 0.0, true, RULES, &mut dice).unwrap();
        assert!(of.beyond >= 10, "{of:?}");
        assert!(of.alarms < 0.02 && of.finds > 0.15, "{of:?}");
        assert_eq!(wolf("m", &loud[..2], 0.0, true, RULES, &mut dice), None);
    }
}
