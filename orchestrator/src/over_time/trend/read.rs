//! The figures of runs, from an archive.

use crate::{
    archive::read,
    model::{
        fingerprint::Fingerprint,
        result::{CaseResult, MetricValue, RunResult, Verdict},
    },
    over_time::{fingerprint, history},
};
use std::{collections::BTreeMap, fs, path::Path};

/// A run that is over: its judged cases.
#[derive(Clone, Debug)]
pub struct RunFigures {
    /// Its id.
    pub run: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Its cases that passed or failed.
    pub cases: Vec<CaseFigures>,
}

/// A judged case.
#[derive(Clone, Debug)]
pub struct CaseFigures {
    /// Its name in the run.
    pub case: String,
    /// Its scenario.
    pub scenario: String,
    /// Whether it passed.
    pub passed: bool,
    /// Its metrics.
    pub metrics: BTreeMap<String, MetricValue>,
    /// What determined its figures, where that is known.
    pub fingerprint: Option<Fingerprint>,
}

/// The headline figures of runs, from `run.json` alone: fast, and enough for curves.
#[must_use]
pub fn headlines(runs: &[&RunResult]) -> Vec<RunFigures> {
    let of = |run: &&RunResult| {
        let judged = run.cases.iter().filter(|case| is_judged(case.verdict));
        let case = judged.map(|case| CaseFigures {
            case: case.name.clone(),
            scenario: case.scenario.clone(),
            passed: case.verdict == Verdict::Pass,
            metrics: case.headline.clone(),
            fingerprint: case.fingerprint.clone(),
        });
        RunFigures {
            run: run.run_id.clone(),
            started_at: run.started_at.clone(),
            cases: case.collect(),
        }
    };
    sorted(runs.iter().map(of).collect())
}

/// Every figure of a scenario's runs in an archive, and the names of all scenarios in it.
#[must_use]
pub fn all_metrics(results: &Path, scenario: &str) -> (Vec<RunFigures>, Vec<String>) {
    let (mut runs, mut scenarios) = (Vec::new(), Vec::new());
    for folder in history::runs(results) {
        let Some(result) = read::read_summary(&folder) else { continue };
        for case in &result.cases {
            if !scenarios.contains(&case.scenario) {
                scenarios.push(case.scenario.clone());
            }
        }
        let mut cases = Vec::new();
        for (name, path) in read::case_folders(&folder).unwrap_or_default() {
            cases.extend(case(&result, &name, &path, scenario));
        }
        if !cases.is_empty() {
            runs.push(RunFigures { run: result.run_id, started_at: result.started_at, cases });
        }
    }
    scenarios.sort();
    (sorted(runs), scenarios)
}

fn case(run: &RunResult, name: &str, folder: &Path, scenario: &str) -> Option<CaseFigures> {
    let summary = run.cases.iter().find(|summary| summary.name == name)?;
    if summary.scenario != scenario || !is_judged(summary.verdict) {
        return None;
    }
    let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let result: CaseResult = serde_json::from_str(&text("result.json")?).ok()?;
    let made = || {
        let yaml = (text("scenario.yaml"), text("cluster.yaml"));
        fingerprint::of(&result, yaml.0.as_deref(), yaml.1.as_deref())
    };
    Some(CaseFigures {
        case: name.to_owned(),
        scenario: summary.scenario.clone(),
        passed: summary.verdict == Verdict::Pass,
        fingerprint: Some(summary.fingerprint.clone().unwrap_or_else(made)),
        metrics: result.metrics,
    })
}

fn is_judged(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Fail)
}

/// Oldest first; by id where times are equal, so that the order never depends on the file system.
fn sorted(mut runs: Vec<RunFigures>) -> Vec<RunFigures> {
    runs.sort_by(|a, b| (&a.started_at, &a.run).cmp(&(&b.started_at, &b.run)));
    runs
}
