//! The runs of an archive, as a list shows them. What was read of a run that is over is kept: thousands of them are
//! listed at every look.

use crate::{
    archive::read,
    model::result::{RunResult, Verdict},
    report::words,
    text::format,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    time::SystemTime,
};

/// A run in the list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) word: &'static str,
    pub(super) sign: &'static str,
    pub(super) sentence: String,
    /// RFC 3339; empty if it is not known.
    pub(super) started_at: String,
    pub(super) took: String,
    pub(super) cases: usize,
    /// Digests of the parts of the cases' fingerprints.
    #[serde(skip)]
    digests: BTreeSet<String>,
    /// First digits of the plan's digest of the only case, or of the first.
    pub(super) plan: String,
}

/// What was read so far, by id, each with the time of its `run.json`.
#[derive(Debug, Default)]
pub(super) struct Runs(BTreeMap<String, (SystemTime, Row)>);

/// What is looked for.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Filter {
    /// Words, all of which have to be there.
    pub(super) q: String,
    pub(super) scenario: String,
    pub(super) verdict: String,
    /// Days, `2026-03-01`: from the first to the last, both included.
    pub(super) from: String,
    pub(super) to: String,
    /// First digits of a digest.
    pub(super) fingerprint: String,
}

impl Runs {
    /// Every run, newest first.
    ///
    /// # Errors
    ///
    /// When the archive cannot be listed. One that is not there has no runs.
    pub(super) fn all(&mut self, results: &Path) -> io::Result<Vec<Row>> {
        let entries = match fs::read_dir(results) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause),
        };
        let mut seen = BTreeSet::new();
        let mut rows = Vec::new();
        for entry in entries {
            let entry = entry?;
            // `latest` is a link to one of the others.
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let Ok(id) = entry.file_name().into_string() else { continue };
            if let Some(row) = self.row(&entry.path(), &id) {
                seen.insert(id);
                rows.push(row);
            }
        }
        self.0.retain(|id, _| seen.contains(id));
        rows.sort_by(|a, b| (&b.started_at, &b.id).cmp(&(&a.started_at, &a.id)));
        Ok(rows)
    }

    fn row(&mut self, path: &Path, id: &str) -> Option<Row> {
        let written = fs::metadata(path.join("run.json")).and_then(|facts| facts.modified());
        let Ok(written) = written else {
            return path.join("events.jsonl").is_file().then(|| open_row(path, id));
        };
        if let Some((at, row)) = self.0.get(id)
            && *at == written
        {
            return Some(row.clone());
        }
        let Some(result) = read::read_summary(path) else { return Some(open_row(path, id)) };
        let row = row_of(id, &result);
        self.0.insert(id.to_owned(), (written, row.clone()));
        Some(row)
    }
}

/// A run without a result: one that goes on, or was cut off.
fn open_row(path: &Path, id: &str) -> Row {
    let is_running = read::is_running(path);
    let sentence =
        if is_running { "it is still going on" } else { "it was cut off before its end" };
    let (started_at, name) = read::parts_of_id(id);
    Row {
        id: id.to_owned(),
        name,
        word: words::state(None, is_running),
        sign: words::sign(None),
        sentence: sentence.to_owned(),
        started_at,
        took: String::new(),
        cases: 0,
        digests: BTreeSet::new(),
        plan: String::new(),
    }
}

fn row_of(id: &str, result: &RunResult) -> Row {
    let verdict: Verdict = result.verdict;
    let rest = result.sentence.strip_prefix(verdict.as_str()).unwrap_or(&result.sentence);
    let prints: Vec<_> = result.cases.iter().filter_map(|case| case.fingerprint.as_ref()).collect();
    let parts = prints.iter().flat_map(|print| print.parts());
    let (word, sign) = words::of_run(result);
    Row {
        id: id.to_owned(),
        name: result.name.clone(),
        word,
        sign,
        sentence: rest.trim_start_matches([':', ' ']).to_owned(),
        started_at: result.started_at.clone(),
        took: format::between(&result.started_at, &result.ended_at)
            .map(format::duration)
            .unwrap_or_default(),
        cases: result.cases.len(),
        digests: parts.map(|(_, part)| part.digest.clone()).collect(),
        plan: prints
            .first()
            .map_or_else(String::new, |print| print.plan.digest.chars().take(8).collect()),
    }
}

impl Filter {
    /// Whether a run is among what is looked for.
    pub(super) fn keeps(&self, row: &Row) -> bool {
        let day = row.started_at.get(..10).unwrap_or_default();
        let text = format!("{} {} {} {}", row.id, row.name, row.word, row.sentence).to_lowercase();
        let fingerprint = self.fingerprint.trim().to_lowercase();
        (self.scenario.is_empty() || row.name == self.scenario)
            && (self.verdict.is_empty() || row.word == self.verdict)
            && (self.from.is_empty() || day >= self.from.as_str())
            && (self.to.is_empty() || day <= self.to.as_str())
            && self.q.to_lowercase().split_whitespace().all(|word| text.contains(word))
            && (fingerprint.is_empty()
                || row.digests.iter().any(|digest| digest.starts_with(&fingerprint)))
    }
}
