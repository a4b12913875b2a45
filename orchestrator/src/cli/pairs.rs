//! `mallard run S --against OTHER --pairs N`: both sides in turns, and what came of it.

use super::{
    Outcome,
    args::{PairArgs, PlanArgs},
    compare::known_metrics,
    files,
};
use crate::{
    archive::ArchiveError,
    config::Diagnostic,
    metrics::direction,
    model::{
        events::RunEvent,
        exit_code,
        result::{MetricValue, Verdict},
    },
    over_time::compare::{self, Asked, Comparison, Pairing, change},
    plan::{self, Plan, PlanOptions},
    text::error_chain::error_text,
};
use std::{collections::BTreeMap, path::Path};

/// Within which share figures count as the same, unless it is said.
const TOLERANCE: f64 = 0.05;

/// Name of the comparison's files, without the end.
pub(super) const FILE: &str = "comparison";

/// Figures that are told after each pair.
const TOLD: usize = 3;

/// Plans both sides as one.
pub(super) fn planned(
    args: &PlanArgs,
    against: &Path,
    run_id: &str,
) -> Result<(Plan, Vec<Diagnostic>), Outcome> {
    known_metrics(&args.pairs.decide_by)
        .map_err(|cause| Outcome::failed(exit_code::USAGE, error_text(&cause)))?;
    let refused = |mistakes: Vec<Diagnostic>| files::refused(&mistakes);
    let rounds = args.pairs.pairs.unwrap_or(1);
    let (scenarios, mut warnings) = files::scenarios(args)?;
    let other = PlanArgs { scenarios: vec![against.to_owned()], ..args.clone() };
    let (others, of_others) = files::scenarios(&other)?;
    warnings.extend(of_others);
    let cluster = files::cluster(args.cluster.as_deref()).map_err(refused)?;
    let new = PlanOptions { repeat: rounds, ..files::options(args, run_id)? };
    let new = plan::plan(&scenarios, &cluster, &new).map_err(refused)?;
    let known = plan::known_parameters(&others);
    let set = files::settings(&args.set).map_err(refused)?.into_iter();
    // What is set for both is known to one of them at least: to that one without `--against`.
    let set = set.filter(|(name, _)| known.contains(name));
    let base = PlanOptions {
        set: set.chain(files::settings(&args.pairs.against_set).map_err(refused)?).collect(),
        only: Vec::new(),
        repeat: rounds,
        first_number: new.cases.len(),
        ..files::options(args, run_id)?
    };
    let mut base = plan::plan(&others, &cluster, &base).map_err(refused)?;
    if !args.only.is_empty() {
        keep_partners(&mut base, &new);
    }
    let shown = args.scenarios.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let base_shown = against.display().to_string();
    let both = plan::interleave((base, &base_shown), (new, &shown.join(", ")), args.pairs.seed());
    both.map(|plan| (plan, warnings)).map_err(|mistake| files::refused(&[mistake]))
}

/// Leaves out cases of the base that `--only` leaves out of the other side.
fn keep_partners(base: &mut Plan, new: &Plan) {
    if base.cases.len() > new.cases.len() {
        base.cases.retain(|case| new.cases.iter().any(|of| of.name == case.name));
        base.across.clear();
    }
}

/// Compares what was run, pair by pair.
pub(super) fn compared(
    run: &Path,
    started_at: &str,
    pairing: &Pairing,
    args: &PairArgs,
) -> Result<Comparison, ArchiveError> {
    let asked = Asked {
        tolerance: args.tolerance.unwrap_or(TOLERANCE),
        metrics: args.decide_by.clone(),
        across: Vec::new(),
        paired: true,
    };
    compare::pairs(run, started_at, pairing, &asked)
}

/// What pairs have come to so far, for whoever looks on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pairing: Option<Pairing>,
    metrics: BTreeMap<String, BTreeMap<String, MetricValue>>,
    /// Logarithms of ratios, by case and metric.
    ratios: BTreeMap<(String, &'static str), Vec<f64>>,
    told: usize,
}

impl Tally {
    /// Of a run whose cases are pairs, or are not.
    pub(super) fn of(pairing: Option<Pairing>) -> Self {
        Self { pairing, ..Self::default() }
    }

    /// Takes a judged case over; the event to be told once its pair is complete. Cases that cannot be compared are
    /// none.
    pub(super) fn take(
        &mut self,
        case: &str,
        verdict: Verdict,
        metrics: &BTreeMap<String, MetricValue>,
    ) -> Option<RunEvent> {
        if !matches!(verdict, Verdict::Pass | Verdict::Fail) {
            return None;
        }
        let pairing = self.pairing.as_ref()?;
        self.metrics.insert(case.to_owned(), metrics.clone());
        let pair = pairing.pairs.iter().find(|pair| pair.base == case || pair.new == case)?;
        let (base, new) = (self.metrics.remove(&pair.base), self.metrics.remove(&pair.new));
        let (base, new) = match (base, new) {
            (Some(base), Some(new)) => (base, new),
            (one, other) => {
                self.metrics.extend(one.map(|of| (pair.base.clone(), of)));
                self.metrics.extend(other.map(|of| (pair.new.clone(), of)));
                return None;
            }
        };
        self.told += 1;
        let value = |of: &BTreeMap<String, MetricValue>, metric: &str| of.get(metric)?.value;
        let has = |metric: &str| value(&base, metric).is_some() && value(&new, metric).is_some();
        let mut told = Vec::new();
        for metric in direction::headline(has) {
            let ratio = value(&new, metric).zip(value(&base, metric)).map(|(new, base)| new / base);
            let Some(ratio) = ratio.filter(|ratio| *ratio > 0.0 && ratio.is_finite()) else {
                continue;
            };
            let all = self.ratios.entry((pair.name.clone(), metric)).or_default();
            all.push(ratio.ln());
            let mean = (all.iter().sum::<f64>() / all.len() as f64).exp();
            told.push(format!("{metric} {} (so far {})", change(ratio), change(mean)));
        }
        told.truncate(TOLD);
        let first = if pair.base_first { "base" } else { "new" };
        let text = format!("{first} first: {}", told.join(", ")).replace('\u{a0}', " ");
        Some(RunEvent::PairFinished { pair: self.told, of: pairing.pairs.len(), text })
    }
}
