//! How far the cases of a run are, by what stands in its folder.

use crate::{
    archive::read_checkpoint,
    model::result::{AgentResult, CaseResult, CaseSummary, MetricValue},
    run::checkpoint::Checkpoint,
    verdict,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, fs, path::Path};

/// How far a case is.
#[derive(Debug)]
pub(super) enum Progress {
    /// Its load has not started, and nothing was measured.
    New,
    /// Its load was started, and it is not judged.
    Running(Box<Checkpoint>),
    /// It is judged.
    Judged(Box<Judged>),
}

/// A judged case, read back.
#[derive(Debug)]
pub(super) struct Judged {
    /// Its line in `run.json`.
    pub(super) summary: CaseSummary,
    /// Versions of what took part.
    pub(super) versions: BTreeMap<String, String>,
    /// Its metrics, for expectations across cases.
    pub(super) metrics: BTreeMap<String, MetricValue>,
    /// Its agents, for the same.
    pub(super) agents: Vec<AgentResult>,
}

/// How far a case of a run is.
pub(super) fn of(run: &Path, case: &str) -> Progress {
    let folder = run.join("cases").join(case);
    let result = fs::read(folder.join("result.json")).ok();
    if let Some(result) = result.and_then(|text| serde_json::from_slice::<CaseResult>(&text).ok()) {
        return Progress::Judged(Box::new(judged(result)));
    }
    read_checkpoint(&folder).map_or(Progress::New, Progress::Running)
}

fn judged(result: CaseResult) -> Judged {
    let sentence = match result.reasons.first() {
        Some(reason) => format!("{}: {}", result.verdict.as_str(), reason.text),
        None => result.verdict.as_str().to_owned(),
    };
    let summary = verdict::summary_of(&result, &sentence, duration_us(&result));
    let CaseResult { versions, metrics, agents, .. } = result;
    Judged { summary, versions, metrics, agents }
}

/// How long a case took, everything included, in microseconds.
pub(super) fn duration_us(result: &CaseResult) -> u64 {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let took = at(&result.started_at)
        .zip(at(&result.ended_at))
        .map(|(start, end)| end.duration_since(start).as_micros());
    took.and_then(|us| u64::try_from(us).ok()).unwrap_or(0)
}
