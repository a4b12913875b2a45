//! Puts the trend of a scenario together.

use super::{
    accepted::Accepted,
    model::{Change, Direction, Series, Standing, TREND_VERSION, Trend},
    read::RunFigures,
    series::series,
};
use crate::{
    metrics::direction,
    over_time::{compare::change, judge::TOLERANCE_FLOOR, observation::key},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The scenario.
    pub scenario: String,
    /// Metrics; the headline metrics of each case if empty.
    pub metrics: Vec<String>,
    /// Only runs that were started at most so long before the newest one.
    pub since: Option<Duration>,
    /// Below which share a change does not count.
    pub tolerance: f64,
}

/// The trend of a scenario over runs, oldest first.
#[must_use]
pub fn build(mut runs: Vec<RunFigures>, asked: &Asked, accepted: &[Accepted]) -> Trend {
    if let Some(since) = asked.since {
        keep_since(&mut runs, since);
    }
    let tolerance = asked.tolerance.max(TOLERANCE_FLOOR);
    let own = accepted.iter().filter(|of| of.scenario == asked.scenario);
    let own: Vec<Accepted> = own.cloned().collect();
    let mut all: Vec<Series> = Vec::new();
    for case in cases(&runs) {
        for metric in metrics(&runs, &case, &asked.metrics) {
            all.extend(series(&runs, &case, &metric, tolerance, &own));
        }
    }
    all.sort_by_key(|series| (!series.is_worse(), !series.is_suspect()));
    let word = if all.iter().any(Series::is_worse) {
        "worse"
    } else if all.iter().any(Series::is_suspect) {
        "suspect"
    } else {
        "steady"
    };
    Trend {
        schema_version: TREND_VERSION,
        scenario: asked.scenario.clone(),
        word,
        sentence: sentence(&all, runs.len()),
        tolerance,
        runs: runs.len(),
        warnings: stale(&own, &all, !asked.metrics.is_empty() || asked.since.is_some()),
        series: all,
    }
}

/// Counted from the newest run, so that the same archive gives the same trend on every day.
fn keep_since(runs: &mut Vec<RunFigures>, since: Duration) {
    let at = |run: &RunFigures| run.started_at.parse::<Timestamp>().ok();
    let Some(newest) = runs.iter().filter_map(at).max() else { return };
    let since = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let first = newest.as_microsecond().saturating_sub(since);
    runs.retain(|run| at(run).is_some_and(|at| at.as_microsecond() >= first));
}

fn cases(runs: &[RunFigures]) -> Vec<String> {
    let names = runs.iter().flat_map(|run| &run.cases).map(|case| key(&case.case).to_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn metrics(runs: &[RunFigures], case: &str, asked: &[String]) -> Vec<String> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let has = |metric: &str| {
        let of_case = runs.iter().flat_map(|run| &run.cases).filter(|of| key(&of.case) == case);
        let mut values = of_case.filter_map(|of| of.metrics.get(metric)?.value);
        values.next().is_some()
    };
    direction::headline(has).into_iter().map(str::to_owned).collect()
}

/// Changes that decide, each with its metric.
pub(super) fn standing(of: &Series) -> impl Iterator<Item = &Change> {
    of.changes.iter().filter(|change| change.stands && change.standing == Standing::Confirmed)
}

fn sentence(all: &[Series], runs: usize) -> String {
    let name = |series: &Series| format!("{} of {}", series.metric, series.case);
    let worse: Vec<String> = all
        .iter()
        .flat_map(|series| standing(series).map(move |change| (series, change)))
        .map(|(series, of)| format!("{} ({}) since {}", name(series), change(of.ratio), of.run))
        .collect();
    if !worse.is_empty() {
        return format!("worse: {}", worse.join(", "));
    }
    let suspect: Vec<String> = all.iter().filter(|series| series.is_suspect()).map(name).collect();
    if !suspect.is_empty() {
        return format!("suspected, more runs will show: {}", suspect.join(", "));
    }
    let noun = if runs == 1 { "run" } else { "runs" };
    let figures = if all.len() == 1 { "figure" } else { "figures" };
    match all.is_empty() {
        true => format!("no figure to follow in {runs} {noun}"),
        false => format!(
            "no change for the worse that nothing explains, in {} {figures} over {runs} {noun}",
            all.len()
        ),
    }
}

/// Entries that no change answers to. Where only a part was asked for, that says nothing.
fn stale(accepted: &[Accepted], all: &[Series], partly: bool) -> Vec<String> {
    if partly {
        return Vec::new();
    }
    let is_met = |of: &Accepted| {
        all.iter().filter(|series| series.metric == of.metric).any(|series| {
            let changes = series.changes.iter();
            let mut accepted = changes.filter(|change| change.standing == Standing::Accepted);
            accepted.any(|change| change.reason.as_ref() == Some(&of.reason))
        })
    };
    let unmet = accepted.iter().filter(|of| !is_met(of));
    unmet
        .map(|of| {
            format!(
                "accepted.yaml, line {}: {} has no change at {} any more; take the entry away",
                of.line, of.metric, of.run
            )
        })
        .collect()
}

/// A change in words: `worse by +12 % [+8 %, +16 %], confirmed`.
pub(super) fn told(of: &Change) -> String {
    let direction = match of.direction {
        Direction::Changed => String::new(),
        direction => format!("{}: ", direction.as_str()),
    };
    format!("{direction}{} [{}, {}]", change(of.ratio), change(of.low), change(of.high))
}
