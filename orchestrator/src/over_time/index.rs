//! `results/index.html`: every run, newest first, and how each scenario's headline figures went.

use super::{
    history,
    trend::{self, RunFigures, Series, Spark},
};
use crate::{
    archive::{self, ArchiveError, read},
    model::result::RunResult,
    over_time::observation::key,
    report::{self, ReportError, templates::Templates, words},
    text::format::{self, date, quantity},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Runs that a curve shows; levels and changes come from all of them.
const SHOWN: usize = 40;

/// Curves of a scenario on the page.
const CURVES: usize = 12;

/// Size of a curve.
const SPARK: (f64, f64) = (160.0, 34.0);

/// Below which share a change of level does not count here.
const TOLERANCE: f64 = 0.05;

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

/// A scenario's curves.
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
    /// What stands out, in words.
    remark: &'static str,
    spark: Spark,
}

/// Makes the reports of a run again and puts them into its folder; then the index beside it. Returns the report's
/// page.
///
/// # Errors
///
/// When the folder holds no run, or a page cannot be written.
pub fn with_reports(run: &Path, templates: &Templates) -> Result<PathBuf, ReportError> {
    let page = report::write(run, templates)?;
    if let Some(results) = run.parent() {
        write(results, templates)?;
    }
    Ok(page)
}

/// Makes the page and writes it.
///
/// # Errors
///
/// When the folder cannot be listed or written, or a template is wrong.
pub fn write(results: &Path, templates: &Templates) -> Result<(), ReportError> {
    let page = render(results, templates)?;
    Ok(archive::write_whole(&results.join("index.html"), &page)?)
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
    let finished = || runs.iter().filter_map(|(_, result)| result.as_ref());
    // Their cases are those of the run that was put together from them.
    let parts = history::parts(finished());
    let finished: Vec<&RunResult> =
        finished().filter(|result| !parts.contains(&result.run_id)).collect();
    let scenarios = scenarios(&finished);
    let index = Index { runs: runs.into_iter().map(|(view, _)| view).collect(), scenarios };
    templates.render("index.html", &index)
}

fn view(path: &Path) -> (RunView, Option<RunResult>) {
    let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let result = read::read_summary(path);
    let is_running = result.is_none() && read::is_running(path);
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
        word: result.as_ref().map_or(words::state(None, is_running), |of| words::of_run(of).0),
        sign: result.as_ref().map_or(words::sign(None), |of| words::of_run(of).1),
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

/// Curves of every scenario that ran more than once. `runs` come newest first.
fn scenarios(runs: &[&RunResult]) -> Vec<ScenarioView> {
    let mut by_name: BTreeMap<&str, Vec<&RunResult>> = BTreeMap::new();
    for run in runs {
        by_name.entry(&run.name).or_default().push(run);
    }
    let mut scenarios = Vec::new();
    for (name, runs) in by_name {
        let mut trends = curves(&trend::headlines(&runs));
        trends.truncate(CURVES);
        if !trends.is_empty() {
            scenarios.push(ScenarioView { name: name.to_owned(), runs: runs.len(), trends });
        }
    }
    scenarios
}

/// Headline figures of every case that has them from several runs.
fn curves(runs: &[RunFigures]) -> Vec<TrendView> {
    let all = || runs.iter().flat_map(|run| &run.cases);
    let cases: BTreeSet<&str> = all().map(|case| key(&case.case)).collect();
    let metrics: BTreeSet<&String> = all().flat_map(|case| case.metrics.keys()).collect();
    let mut curves = Vec::new();
    for case in &cases {
        for metric in &metrics {
            let series = trend::series(runs, case, metric, TOLERANCE, &[]);
            let several = series.filter(|series| series.points.len() > 1);
            curves.extend(several.map(|series| curve(&series, cases.len() > 1)));
        }
    }
    curves
}

fn curve(of: &Series, name_case: bool) -> TrendView {
    let value = |value: f64| quantity(value, &of.unit);
    let say = |at: usize| {
        let point = &of.points[at];
        format!("{}: {}", date(&point.started_at), value(point.value))
    };
    let spark = trend::spark(of, SHOWN, SPARK, say);
    let (low, high) = spark.range;
    let name = if name_case { format!("{} · {}", of.case, of.metric) } else { of.metric.clone() };
    TrendView {
        explain: words::explain(&of.metric),
        newest: of.points.last().map_or_else(String::new, |point| value(point.value)),
        range: format!("{} – {}", value(low), value(high)),
        runs: spark.points.len(),
        remark: match (of.is_worse(), of.is_suspect()) {
            (true, _) => "worse",
            (_, true) => "suspect",
            _ => "",
        },
        spark,
        name,
    }
}
