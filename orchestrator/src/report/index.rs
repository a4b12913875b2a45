//! `results/index.html`: every run, newest first, and how each scenario's headline figures went.

use super::{ReportError, column::figure, templates::Templates, words};
use crate::{
    archive::{ArchiveError, read},
    model::result::{RunResult, Verdict},
    text::format::{self, quantity},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

/// Runs that a trend looks back on.
const TREND_RUNS: usize = 40;

/// Trends of a scenario on the page.
const TRENDS: usize = 12;

/// Size of a sparkline.
const SPARK: (f64, f64) = (160.0, 30.0);

/// What the template gets.
#[derive(Serialize)]
struct Index {
    runs: Vec<RunView>,
    scenarios: Vec<ScenarioView>,
}

/// A run.
#[derive(Serialize)]
struct RunView {
    id: String,
    has_page: bool,
    name: String,
    word: &'static str,
    sign: &'static str,
    sentence: String,
    started_at: String,
    duration: String,
    cases: usize,
}

/// A scenario's trends.
#[derive(Serialize)]
struct ScenarioView {
    name: String,
    runs: usize,
    trends: Vec<TrendView>,
}

/// One figure over runs.
#[derive(Serialize)]
struct TrendView {
    name: String,
    explain: String,
    newest: String,
    range: String,
    runs: usize,
    path: String,
    /// Where the newest point lies.
    end: (f64, f64),
    /// Where runs lie that did not pass.
    bad: Vec<(f64, f64)>,
}

/// Makes the page.
///
/// # Errors
///
/// When the folder cannot be listed, or a template is wrong.
pub fn render(results: &Path, templates: &Templates) -> Result<Vec<u8>, ReportError> {
    let failed = |source| ArchiveError::read(results, source);
    let mut folders = Vec::new();
    for entry in fs::read_dir(results).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // `latest` is a link to one of the others.
        if !path.is_symlink() && read::is_run(&path) {
            folders.push(path);
        }
    }
    let mut runs: Vec<(RunView, Option<RunResult>)> =
        folders.iter().map(|path| view(path)).collect();
    // Newest first: by time, then by id, so that the order never depends on the file system.
    runs.sort_by(|(a, _), (b, _)| (&b.started_at, &b.id).cmp(&(&a.started_at, &a.id)));
    let finished: Vec<&RunResult> = runs.iter().filter_map(|(_, result)| result.as_ref()).collect();
    let scenarios = scenarios(&finished);
    let index = Index { runs: runs.into_iter().map(|(view, _)| view).collect(), scenarios };
    templates.render("index.html", &index)
}

fn view(path: &Path) -> (RunView, Option<RunResult>) {
    let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let result = read::read_summary(path);
    let is_running = result.is_none() && read::is_running(path);
    let verdict = result.as_ref().map(|r| r.verdict);
    let (started_at, duration) = match &result {
        Some(result) => (result.started_at.clone(), lasted(result)),
        None => (read::parts_of_id(&id).0, String::new()),
    };
    let sentence = result.as_ref().map_or_else(
        || match is_running {
            true => "it is still going on".to_owned(),
            false => "it has no run.json: it was cut off before its end".to_owned(),
        },
        |result| {
            let rest = result.sentence.strip_prefix(result.verdict.as_str());
            rest.unwrap_or(&result.sentence).trim_start_matches([':', ' ']).to_owned()
        },
    );
    let view = RunView {
        has_page: path.join("report.html").is_file(),
        name: result
            .as_ref()
            .map_or_else(|| read::parts_of_id(&id).1, |result| result.name.clone()),
        word: words::state(verdict, is_running),
        sign: words::sign(verdict),
        sentence,
        started_at,
        duration,
        cases: result.as_ref().map_or(0, |result| result.cases.len()),
        id,
    };
    (view, result)
}

fn lasted(result: &RunResult) -> String {
    format::between(&result.started_at, &result.ended_at).map(format::duration).unwrap_or_default()
}

/// Trends of every scenario that ran more than once. `runs` come newest first.
fn scenarios(runs: &[&RunResult]) -> Vec<ScenarioView> {
    let mut by_name: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for run in runs {
        by_name.entry(&run.name).or_default().push(run);
    }
    let mut scenarios = Vec::new();
    for (name, runs) in by_name {
        let mut trends = trends(&runs);
        trends.truncate(TRENDS);
        if !trends.is_empty() {
            scenarios.push(ScenarioView { name: name.to_owned(), runs: runs.len(), trends });
        }
    }
    scenarios
}

struct Point {
    value: f64,
    bad: bool,
}

fn trends(newest_first: &[&RunResult]) -> Vec<TrendView> {
    let mut points: BTreeMap<(String, String), Vec<Point>> = BTreeMap::new();
    let recent = &newest_first[..newest_first.len().min(TREND_RUNS)];
    for run in recent.iter().rev() {
        for case in &run.cases {
            for (metric, of) in &case.headline {
                let Some(value) = of.value else { continue };
                let name = if run.cases.len() > 1 {
                    format!("{} · {metric}", case.name)
                } else {
                    metric.clone()
                };
                let bad = case.verdict != Verdict::Pass;
                points.entry((name, of.unit.clone())).or_default().push(Point { value, bad });
            }
        }
    }
    let several = points.into_iter().filter(|(_, points)| points.len() > 1);
    several.map(|((name, unit), points)| trend(name, &unit, &points)).collect()
}

fn trend(name: String, unit: &str, points: &[Point]) -> TrendView {
    let values = || points.iter().map(|point| point.value);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let (width, height) = SPARK;
    let steps = figure(points.len() as u64 - 1).max(1.0);
    let tenth = |of: f64| (of * 10.0).round() / 10.0;
    let place = |at: usize, value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        let x = 3.0 + (width - 6.0) * figure(at as u64) / steps;
        (tenth(x), tenth(height - 4.0 - (height - 8.0) * share))
    };
    let places: Vec<_> = points.iter().enumerate().map(|(at, p)| place(at, p.value)).collect();
    let mut path = String::new();
    for (at, (x, y)) in places.iter().enumerate() {
        let _ = write!(path, "{}{x} {y}", if at == 0 { "M" } else { "L" });
    }
    let bad = places.iter().zip(points).filter(|(_, point)| point.bad).map(|(place, _)| *place);
    let metric = name.rsplit(" · ").next().unwrap_or(&name);
    TrendView {
        explain: words::explain(metric),
        newest: values().next_back().map_or_else(String::new, |value| quantity(value, unit)),
        range: format!("{} – {}", quantity(low, unit), quantity(high, unit)),
        runs: points.len(),
        end: places.last().copied().unwrap_or_default(),
        bad: bad.collect(),
        path,
        name,
    }
}
