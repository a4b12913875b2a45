//! Every figure that both sides have, judged.

use super::{asked::Asked, change::of_share, model::Figure};
use crate::{
    metrics::{
        self,
        direction::{self, better},
    },
    over_time::{
        history::History,
        judge::{self, Basis, Judged, Rules, Side, Word},
        judge_pairs::judge_pairs,
        observation::{DRAWS, Observation, PERCENTILES, percentile_of},
        statistics::{
            Dice,
            bootstrap::{Merged, merge},
            mean::Sample,
        },
    },
    text::format::count,
};
use std::collections::{BTreeMap, BTreeSet};

/// Drawings of a run for its own noise, where a side has several runs.
const DRAWS_OF_SEVERAL: usize = 199;

/// The figures of a case: those that gate first, then the rest in the order of `mallard metrics`.
#[must_use]
pub(super) fn figures(
    (base, with): (&[&Observation], &[&Observation]),
    gates: &[String],
    asked: &Asked,
    history: &History,
) -> Vec<Figure> {
    let has =
        |side: &[&Observation], metric: &str| side.iter().any(|of| of.value(metric).is_some());
    let names: BTreeSet<&str> =
        base.iter().flat_map(|of| of.result.metrics.keys().map(String::as_str)).collect();
    let mut names: Vec<&str> =
        names.into_iter().filter(|name| has(base, name) && has(with, name)).collect();
    let place = |name: &str| {
        let gate = gates.iter().position(|gate| gate == name).unwrap_or(gates.len());
        let row = metrics::registry().iter().position(|metric| metric.name == name);
        (gate, row.unwrap_or(usize::MAX))
    };
    names.sort_by_key(|name| (place(name), *name));
    let gating = names.iter().filter(|name| gates.iter().any(|gate| gate == *name)).count();
    let rules = Rules { tolerance: asked.tolerance, gates: gating };
    let held = HeldAgainst { paired: asked.paired, ..HeldAgainst::new(base, with, history) };
    let gates = |name: &str| gates.iter().any(|gate| gate == name);
    names.into_iter().map(|name| held.figure(name, gates(name), rules)).collect()
}

/// Runs of a case held against others, with what is known of their noise.
pub(in crate::over_time) struct HeldAgainst<'a> {
    base: &'a [&'a Observation],
    with: &'a [&'a Observation],
    within: (Within, Within),
    history: &'a History,
    /// Whether the runs of both sides are pairs.
    paired: bool,
}

impl<'a> HeldAgainst<'a> {
    /// Runs of a case, and what is known of earlier ones.
    pub(in crate::over_time) fn new(
        base: &'a [&'a Observation],
        with: &'a [&'a Observation],
        history: &'a History,
    ) -> Self {
        Self { base, with, within: (Within::of(base), Within::of(with)), history, paired: false }
    }

    /// A figure, judged.
    pub(in crate::over_time) fn figure(&self, metric: &str, gates: bool, rules: Rules) -> Figure {
        let (base, with) = (self.base, self.with);
        let (base_runs, with_runs) = self.values(metric);
        let better = better(metric);
        let within = (self.within.0.of_metric(metric), self.within.1.of_metric(metric));
        let judged = if direction::is_exact(metric) {
            judge::exactly(&base_runs, &with_runs, better)
        } else {
            let base = Side { values: &base_runs, within: within.0 };
            let with = Side { values: &with_runs, within: within.1 };
            match self.paired {
                true => judge_pairs(base, with, better, gates, rules),
                false => {
                    judge::judge(base, with, better, gates, self.history.spread(metric), rules)
                }
            }
        };
        let all = || base.iter().chain(with);
        let unit = all().find_map(|of| of.result.metrics.get(metric)).map(|of| of.unit.clone());
        let too_short = percentile_of(metric)
            .is_some_and(|(tag, _)| all().any(|of| !of.latencies[tag].tells()));
        Figure {
            says: says(&judged, base_runs.len().min(with_runs.len()), too_short, self.paired),
            within: within.0 + within.1,
            metric: metric.to_owned(),
            unit: unit.unwrap_or_default(),
            better,
            gates,
            base: whole(metric, base, &base_runs),
            with: whole(metric, with, &with_runs),
            base_runs,
            with_runs,
            judged,
        }
    }
}

impl HeldAgainst<'_> {
    /// The values of both sides in each run; of pairs those that both have.
    fn values(&self, metric: &str) -> (Vec<f64>, Vec<f64>) {
        let values = |side: &[&Observation]| -> Vec<f64> {
            side.iter().filter_map(|of| of.value(metric)).collect()
        };
        if !self.paired {
            return (values(self.base), values(self.with));
        }
        let pairs = self.base.iter().zip(self.with);
        pairs.filter_map(|(a, b)| Some((a.value(metric)?, b.value(metric)?))).unzip()
    }
}

/// The value of a side: a percentile of all runs' records, else the mean of the runs, that of the logarithms
/// where a ratio is formed.
fn whole(metric: &str, side: &[&Observation], runs: &[f64]) -> Option<f64> {
    if let [one] = runs {
        return Some(*one);
    }
    if let Some((tag, share)) = percentile_of(metric) {
        let parts: Vec<Merged> = side.iter().map(|of| of.latencies[tag].whole()).collect();
        if let Some(value) = merge(&parts).quantiles(&[share]).first() {
            return Some(*value);
        }
    }
    if runs.iter().all(|value| *value > 0.0) {
        let logs: Vec<f64> = runs.iter().map(|value| value.ln()).collect();
        return Sample::of(&logs).map(|sample| sample.mean.exp());
    }
    Sample::of(runs).map(|sample| sample.mean)
}

/// Variances of logarithms within the runs of a side, by metric.
#[derive(Debug, Default)]
struct Within(BTreeMap<String, f64>);

impl Within {
    fn of(side: &[&Observation]) -> Self {
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let times = if side.len() == 1 { DRAWS } else { DRAWS_OF_SEVERAL };
        for observation in side {
            for (metric, variance) in within(observation, times) {
                all.entry(metric).or_default().push(variance);
            }
        }
        // A run that does not know its own noise leaves the side's unknown.
        all.retain(|_, variances| variances.len() == side.len());
        let mean = |variances: &[f64]| Sample::of(variances).map_or(0.0, |sample| sample.mean);
        Self(all.into_iter().map(|(metric, of)| (metric, mean(&of))).collect())
    }

    fn of_metric(&self, metric: &str) -> f64 {
        self.0.get(metric).copied().unwrap_or(0.0)
    }
}

fn within(of: &Observation, times: usize) -> Vec<(String, f64)> {
    let mut dice = Dice::from_texts([&*of.run_id, &*of.case, "within"]);
    let mut found = Vec::new();
    let shares = PERCENTILES.map(|(_, share)| share);
    for (prefix, noise) in ["produce.service", "produce.response", "end_to_end", "produce.slip"]
        .iter()
        .zip(&of.latencies)
    {
        let drawn = noise.drawn(&shares, times, &mut dice);
        for (at, (name, _)) in PERCENTILES.iter().enumerate() {
            let logs: Vec<f64> = drawn.iter().map(|of| of[at]).collect();
            if let Some(sample) = Sample::of(&logs) {
                found.push((format!("{prefix}.{name}"), sample.variance));
            }
        }
    }
    for metric in of.rates.keys() {
        if let Some(variance) = of.rate_variance(metric, &mut dice) {
            found.push(((*metric).to_owned(), variance));
        }
    }
    found
}

/// What an interval rests on and what would help, in a few words.
fn says(judged: &Judged, runs: usize, too_short: bool, paired: bool) -> String {
    let repeats = || match judged.repeats {
        Some(n) if n >= 1_000 => "; the lab has to become quieter first".to_owned(),
        Some(n) if paired => format!("; --pairs {} would decide it", count(u64::from(n))),
        Some(n) => format!("; --repeat {} on both sides would decide it", count(u64::from(n))),
        None => String::new(),
    };
    let of = if paired { "pairs" } else { "runs" };
    let spread = judged.spread.map(|share| format!("{of} spread by {}", of_share(share)));
    let rests = match judged.basis {
        Basis::BetweenRuns | Basis::Pairs => spread.unwrap_or_default(),
        Basis::History => spread.map(|spread| format!("earlier {spread}")).unwrap_or_default(),
        Basis::WithinRuns => "within these runs only".to_owned(),
        Basis::Exact => "counted".to_owned(),
        Basis::Nothing if too_short => {
            "fewer than ten independent stretches, so a run does not know its noise".to_owned()
        }
        Basis::Nothing if paired && runs < judge::ENOUGH_RUNS => {
            "fewer than three pairs".to_owned()
        }
        Basis::Nothing if runs < judge::ENOUGH_RUNS => "too few runs to know the noise".to_owned(),
        Basis::Nothing => String::new(),
    };
    let is_unclear = judged.word == Some(Word::Unclear);
    if is_unclear { rests + &repeats() } else { rests }
}
