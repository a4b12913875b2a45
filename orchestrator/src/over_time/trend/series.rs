//! One series: its regimes, their levels and changes.

use super::{
    accepted::Accepted,
    model::{Break, Change, Direction, EDGE, Level, Point, Regime, Series, Standing, Suspect},
    read::{CaseFigures, RunFigures},
};
use crate::{
    metrics::direction::{Better, better, is_exact},
    model::fingerprint::Fingerprint,
    over_time::{
        fingerprint,
        observation::key,
        statistics::{
            changes::{self, SHORTEST},
            mean::{Sample, welch},
            robust::{deviation, median, residuals},
            student,
        },
    },
};

/// Fewest runs of a level of which a newer run can be called an outlier.
const ENOUGH_FOR_OUTLIERS: usize = 8;

/// Standard deviations, by the median absolute deviation, beyond which a run is an outlier. Source: Iglewicz and
/// Hoaglin, *How to detect and handle outliers*, 1993.
const OUTLIER: f64 = 3.5;

/// A run with the fingerprint that its point has.
type Fingerprints<'a> = Vec<Option<&'a Fingerprint>>;

/// A metric of a case over runs, oldest first; `None` if no run has it. Changes below `tolerance` do not count.
#[must_use]
pub fn series(
    runs: &[RunFigures],
    case: &str,
    metric: &str,
    tolerance: f64,
    accepted: &[Accepted],
) -> Option<Series> {
    let (mut points, fingerprints, unit) = points(runs, case, metric);
    points.first()?;
    let mut regimes = regimes(&mut points, &fingerprints);
    let not_analysed = why_not(metric, &points);
    let mut series = Series {
        case: case.to_owned(),
        metric: metric.to_owned(),
        unit,
        better: better(metric),
        regimes: Vec::new(),
        breaks: Vec::new(),
        changes: Vec::new(),
        suspects: Vec::new(),
        not_analysed,
        points,
    };
    if series.not_analysed.is_none() {
        let margin = (1.0 + tolerance).ln();
        let newest = series.points.last().map_or(0, |point| point.regime);
        for (at, regime) in regimes.iter_mut().enumerate() {
            analyse(&mut series, regime, at == newest, margin, accepted);
        }
    } else {
        regimes.iter_mut().for_each(|regime| regime.levels = plain_level(&series.points, regime));
    }
    series.changes.sort_by_key(|change| change.at);
    series.breaks = breaks(&series.points, &regimes, &fingerprints);
    series.regimes = regimes;
    Some(series)
}

/// Why changes are not looked for.
fn why_not(metric: &str, points: &[Point]) -> Option<String> {
    if is_exact(metric) {
        return Some("it is counted: an expectation says how much is too much".to_owned());
    }
    let has_none = points.iter().any(|point| point.value <= 0.0);
    has_none.then(|| "some runs have 0, of which there is no ratio".to_owned())
}

/// Runs that have the metric: repetitions of a run are one point.
fn points<'a>(
    runs: &'a [RunFigures],
    case: &str,
    metric: &str,
) -> (Vec<Point>, Fingerprints<'a>, String) {
    let (mut points, mut fingerprints, mut unit) = (Vec::new(), Vec::new(), String::new());
    for run in runs {
        let of: Vec<&CaseFigures> = run.cases.iter().filter(|of| key(&of.case) == case).collect();
        let found = of.iter().filter_map(|of| of.metrics.get(metric));
        let values: Vec<f64> =
            found.filter_map(|found| found.value).filter(|value| value.is_finite()).collect();
        let Some(value) = median(values.clone()) else { continue };
        if let Some(found) = of.iter().find_map(|of| of.metrics.get(metric)) {
            unit.clone_from(&found.unit);
        }
        points.push(Point {
            run: run.run.clone(),
            started_at: run.started_at.clone(),
            value,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            repeats: values.len(),
            passed: of.iter().all(|of| of.passed),
            regime: 0,
        });
        fingerprints.push(of.first().and_then(|of| of.fingerprint.as_ref()));
    }
    (points, fingerprints, unit)
}

/// Numbers the regimes: each fingerprint once, in the order in which they were first seen. Runs whose fingerprint is
/// not known are one regime.
fn regimes(points: &mut [Point], fingerprints: &[Option<&Fingerprint>]) -> Vec<Regime> {
    let mut known: Vec<Option<String>> = Vec::new();
    let mut regimes: Vec<Regime> = Vec::new();
    for (at, (point, fingerprint)) in points.iter_mut().zip(fingerprints).enumerate() {
        let digests = fingerprint.map(fingerprint::digests);
        let place = known.iter().position(|of| *of == digests).unwrap_or(known.len());
        if place == known.len() {
            known.push(digests);
            regimes.push(Regime { points: Vec::new(), levels: Vec::new(), sigma: None });
        }
        point.regime = place;
        regimes[place].points.push(at);
    }
    regimes
}

/// Finds levels, changes and suspects of a regime.
fn analyse(
    series: &mut Series,
    regime: &mut Regime,
    is_newest: bool,
    margin: f64,
    accepted: &[Accepted],
) {
    let values: Vec<f64> = regime.points.iter().map(|at| series.points[*at].value.ln()).collect();
    let found = changes::changes(&values, |weak| {
        let sigma = sigma(&values, weak).unwrap_or(0.0);
        margin.max(2.0 * sigma)
    });
    let cuts: Vec<usize> = found.iter().map(|change| change.at).collect();
    regime.sigma = sigma(&values, &cuts);
    let bounds = bounds(&cuts, values.len());
    regime.levels =
        bounds.iter().map(|(from, to)| level(&series.points, &regime.points[*from..*to])).collect();
    for change in &found {
        let half = student::critical(0.05, change.difference.df) * change.difference.se;
        let d = change.difference.d;
        let at = regime.points[change.at];
        let is_sure = change.at >= EDGE && values.len() - change.at > EDGE;
        let reason = accepted.iter().find(|of| of.is_of(series, &regime.points, change.at));
        let direction = direction(series.better, d);
        let standing = match (reason, is_sure) {
            (Some(_), _) => Standing::Accepted,
            (None, true) => Standing::Confirmed,
            (None, false) => Standing::Suspect,
        };
        let stands = is_newest
            && direction == Direction::Worse
            && lasts(series, &values, &cuts, change.at, margin);
        series.changes.push(Change {
            at,
            run: series.points[at].run.clone(),
            started_at: series.points[at].started_at.clone(),
            ratio: d.exp(),
            low: (d - half).exp(),
            high: (d + half).exp(),
            p: change.difference.p(),
            direction,
            standing,
            reason: reason.map(|of| of.reason.clone()),
            stands,
        });
    }
    if is_newest {
        let suspects = suspects(series, regime, &values, &cuts, margin);
        series.suspects.extend(suspects);
    }
}

/// Whether the newest level is still worse than the one before a change.
fn lasts(series: &Series, values: &[f64], cuts: &[usize], at: usize, margin: f64) -> bool {
    let start = cuts.iter().rev().find(|cut| **cut < at).copied().unwrap_or(0);
    let newest = cuts.last().copied().unwrap_or(0);
    let (Some(before), Some(now)) = (Sample::of(&values[start..at]), Sample::of(&values[newest..]))
    else {
        return true;
    };
    let sign = series.better.map_or(0.0, Better::sign);
    welch(before, now).d * sign > margin
}

/// Runs at the newest end that lie outside of the newest level.
fn suspects(
    series: &Series,
    regime: &Regime,
    values: &[f64],
    cuts: &[usize],
    margin: f64,
) -> Vec<Suspect> {
    let start = cuts.last().copied().unwrap_or(0);
    let level = &values[start..];
    let (Some(middle), Some(sigma)) = (median(level.to_vec()), deviation(&residuals(level))) else {
        return Vec::new();
    };
    if level.len() < ENOUGH_FOR_OUTLIERS {
        return Vec::new();
    }
    let edge = values.len().saturating_sub(EDGE).max(start);
    let far = |at: &usize| (values[*at] - middle).abs() > (OUTLIER * sigma).max(margin);
    let suspect = |at: usize| {
        let (d, place) = (values[at] - middle, regime.points[at]);
        Suspect {
            at: place,
            run: series.points[place].run.clone(),
            ratio: d.exp(),
            direction: direction(series.better, d),
        }
    };
    (edge..values.len()).filter(far).map(suspect).collect()
}

fn direction(better: Option<Better>, d: f64) -> Direction {
    match better.map(|better| better.sign() * d) {
        None => Direction::Changed,
        Some(worse) if worse > 0.0 => Direction::Worse,
        Some(_) => Direction::Better,
    }
}

/// First and end of each level.
fn bounds(cuts: &[usize], n: usize) -> Vec<(usize, usize)> {
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(cuts.iter().copied().chain([n])).collect()
}

/// The spread of values around the medians of their levels.
fn sigma(values: &[f64], cuts: &[usize]) -> Option<f64> {
    let levels = bounds(cuts, values.len());
    let residuals: Vec<f64> =
        levels.iter().flat_map(|(from, to)| residuals(&values[*from..*to])).collect();
    // Fewer residuals than this are mostly the medians' own.
    if residuals.len() < 2 * SHORTEST { None } else { deviation(&residuals) }
}

/// The level of these points, which are of one regime and all positive.
fn level(points: &[Point], of: &[usize]) -> Level {
    let values: Vec<f64> = of.iter().map(|at| points[*at].value).collect();
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mean = Sample::of(&logs).filter(|sample| sample.n >= SHORTEST).map(|sample| {
        let n = sample.n as f64;
        let half = student::critical(0.05, n - 1.0) * (sample.variance / n).sqrt();
        [(sample.mean - half).exp(), sample.mean.exp(), (sample.mean + half).exp()]
    });
    Level {
        from: of.first().copied().unwrap_or(0),
        to: of.last().copied().unwrap_or(0),
        runs: of.len(),
        median: median(values).unwrap_or(0.0),
        mean,
    }
}

/// One level for all of a regime, where no change is looked for.
fn plain_level(points: &[Point], regime: &Regime) -> Vec<Level> {
    vec![Level { mean: None, ..level(points, &regime.points) }]
}

/// Where regimes begin, with what differs from the run before.
fn breaks(
    points: &[Point],
    regimes: &[Regime],
    fingerprints: &[Option<&Fingerprint>],
) -> Vec<Break> {
    let begins = regimes.iter().skip(1).filter_map(|regime| {
        let at = *regime.points.first()?;
        let before = at.checked_sub(1)?;
        let last = |level: &&Level| level.from <= before;
        let differs = match (fingerprints[before], fingerprints[at]) {
            (Some(a), Some(b)) => fingerprint::differing(a, b),
            _ => Vec::new(),
        };
        Some(Break {
            at,
            run: points[at].run.clone(),
            differs,
            before: regimes[points[before].regime].levels.iter().rev().find(last)?.clone(),
            after: regime.levels.first()?.clone(),
        })
    });
    begins.collect()
}
