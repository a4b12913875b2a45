//! Reads a run's folder back. Reports are made from what stands here and from nothing else.
//!
//! A run that was cut off leaves files that are missing or that end early. Those are not errors: what
//! is there is read, and what is not is said in [`RunArchive::gaps`] and [`CaseArchive::gaps`], which
//! the page shows. Only a folder that is no run at all is an error.

use super::{
    ArchiveError,
    hlog::{self, LogLine},
};
use crate::model::{
    events::{RunEvent, TimedEvent},
    result::{
        CaseResult, ErrorRow, LagRow, PartitionSeriesRow, ResourceRow, RunResult, SCHEMA_VERSION,
        SeriesRow,
    },
};
use serde::de::DeserializeOwned;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Marks the interval events of a journal, which are most of it and stand in `series.csv` too.
const INTERVAL_MARK: &str = r#""event":"interval""#;

/// A run, read back.
#[derive(Debug)]
pub struct RunArchive {
    /// Its folder.
    pub path: PathBuf,
    /// Its id: the folder's name.
    pub id: String,
    /// `run.json`; none if the run did not finish.
    pub result: Option<RunResult>,
    /// Whether a process is still at it.
    pub is_running: bool,
    /// `events.jsonl`, without the intervals.
    pub events: Vec<TimedEvent>,
    /// Its cases, in order.
    pub cases: Vec<CaseArchive>,
    /// What is missing or damaged, in words.
    pub gaps: Vec<String>,
}

/// A case, read back.
#[derive(Debug, Default)]
pub struct CaseArchive {
    /// Its folder.
    pub path: PathBuf,
    /// Its name: the folder's.
    pub name: String,
    /// `result.json`; none if the case was not judged.
    pub result: Option<CaseResult>,
    /// `series.csv`.
    pub series: Vec<SeriesRow>,
    /// `resources.csv`.
    pub resources: Vec<ResourceRow>,
    /// `errors.csv`.
    pub errors: Vec<ErrorRow>,
    /// `lag.csv`.
    pub lag: Vec<LagRow>,
    /// `partition_series.csv`.
    pub partition_series: Vec<PartitionSeriesRow>,
    /// `scenario.yaml`.
    pub scenario_yaml: Option<String>,
    /// `cluster.yaml`.
    pub cluster_yaml: Option<String>,
    /// What is missing or damaged, in words.
    pub gaps: Vec<String>,
}

/// What an agent used of CPU in an interval: a part of a row of `resources.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuRow<'a> {
    /// First microsecond on the run's clock.
    pub start_us: u64,
    /// First microsecond after it.
    pub end_us: u64,
    /// The agent.
    pub agent: &'a str,
    /// CPU in cores.
    pub cpu_cores: f64,
}

impl<'a> CpuRow<'a> {
    /// Where the columns are.
    fn places(header: &csv::ByteRecord) -> Option<[usize; 4]> {
        let at = |name: &str| header.iter().position(|column| column == name.as_bytes());
        Some([at("start_us")?, at("end_us")?, at("agent")?, at("cpu_cores")?])
    }

    fn of(row: &'a csv::ByteRecord, places: [usize; 4]) -> Option<Self> {
        let [start_us, end_us, agent, cpu_cores] =
            places.map(|at| row.get(at).and_then(|field| std::str::from_utf8(field).ok()));
        Some(Self {
            start_us: start_us?.parse().ok()?,
            end_us: end_us?.parse().ok()?,
            agent: agent?,
            cpu_cores: cpu_cores?.parse().ok()?,
        })
    }
}

/// Finds a run's folder by a path, by its id in `results`, or by `latest`.
///
/// # Errors
///
/// When there is no such run.
pub fn find_run(results: &Path, name: &str) -> Result<PathBuf, ArchiveError> {
    let inside = results.join(name);
    let candidates = [inside.clone(), PathBuf::from(name)];
    for path in &candidates {
        if is_run(path) {
            return fs::canonicalize(path).map_err(|source| ArchiveError::read(path, source));
        }
    }
    let why = match (name, candidates.iter().find(|path| path.is_dir())) {
        ("latest", _) => format!("there is no run in {} yet", results.display()),
        (_, Some(path)) => format!("{} holds no run: no run.json, no events.jsonl", path.display()),
        _ => format!("neither {} nor {name} is there", inside.display()),
    };
    Err(ArchiveError::NoRun { name: name.to_owned(), why })
}

/// Runs that are not over, by name: oldest first where nobody chose the name.
///
/// # Errors
///
/// When the archive cannot be listed. One that is not there has no runs.
pub fn open_runs(results: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let entries = match fs::read_dir(results) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ArchiveError::read(results, source)),
    };
    let is_open = |path: &PathBuf| {
        let link = path.symlink_metadata().is_ok_and(|facts| facts.is_symlink());
        !link && path.join("events.jsonl").is_file() && !path.join("run.json").is_file()
    };
    let mut runs: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_open).collect();
    runs.sort();
    Ok(runs)
}

/// What was asked for when a run began.
///
/// # Errors
///
/// When it does not say so: it is older than this, or it never began.
pub fn order<T: DeserializeOwned>(run: &Path) -> Result<T, ArchiveError> {
    let path = run.join(super::run_folder::ORDER);
    let text = fs::read(&path).map_err(|source| ArchiveError::read(&path, source))?;
    serde_json::from_slice(&text).map_err(|error| ArchiveError::Damaged {
        path,
        line: Some(error.line()),
        what: error.to_string(),
    })
}

/// Whether a folder holds a run, finished or not.
#[must_use]
pub fn is_run(path: &Path) -> bool {
    path.join("run.json").is_file() || path.join("events.jsonl").is_file()
}

/// Whether a run is still going on: a process holds its folder. On file systems without locks this is
/// never seen.
#[must_use]
pub fn is_running(path: &Path) -> bool {
    super::lock::holder(path).is_some()
}

impl RunArchive {
    /// Reads a run's folder.
    ///
    /// # Errors
    ///
    /// When it is no run's folder or cannot be listed.
    pub fn read(path: &Path) -> Result<Self, ArchiveError> {
        Self::read_cases(path, CaseArchive::read)
    }

    /// Reads a run's folder without the tables that grow with agents and partitions: of a case `result.json`,
    /// `series.csv` and both YAML files.
    ///
    /// # Errors
    ///
    /// When it is no run's folder or cannot be listed.
    pub fn read_without_tables(path: &Path) -> Result<Self, ArchiveError> {
        Self::read_cases(path, CaseArchive::read_without_tables)
    }

    fn read_cases(
        path: &Path,
        read: fn(&Path, String) -> CaseArchive,
    ) -> Result<Self, ArchiveError> {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_run(path) {
            let why = format!("{} holds no run: no run.json, no events.jsonl", path.display());
            return Err(ArchiveError::NoRun { name: id, why });
        }
        let mut gaps = Vec::new();
        let result: Option<RunResult> = json(&path.join("run.json"), &mut gaps);
        if let Some(version) = result.as_ref().map(|r| r.schema_version)
            && version > SCHEMA_VERSION
        {
            gaps.push(format!(
                "run.json has schema version {version}; this Mallard knows {SCHEMA_VERSION}"
            ));
        }
        let events = events(&path.join("events.jsonl"), &mut gaps);
        let mut cases = Vec::new();
        for name in case_names(path, result.as_ref(), &events)? {
            cases.push(read(&path.join("cases").join(&name), name));
        }
        let is_running = is_running(path);
        Ok(Self { path: path.to_owned(), id, result, is_running, events, cases, gaps })
    }
}

/// The cases of a run's folder, finished or not: names and folders.
///
/// # Errors
///
/// When it cannot be listed.
pub fn case_folders(run: &Path) -> Result<Vec<(String, PathBuf)>, ArchiveError> {
    let names = case_names(run, read_summary(run).as_ref(), &[])?;
    Ok(names.into_iter().map(|name| (name.clone(), run.join("cases").join(name))).collect())
}

impl CaseArchive {
    fn read(path: &Path, name: String) -> Self {
        let mut case = Self::read_without_tables(path, name);
        if !path.is_dir() {
            return case;
        }
        let gaps = &mut case.gaps;
        case.resources = table(&path.join("resources.csv"), gaps);
        case.errors = table(&path.join("errors.csv"), gaps);
        case.lag = table(&path.join("lag.csv"), gaps);
        if case.result.is_some() {
            case.partition_series = table(&path.join("partition_series.csv"), gaps);
        }
        case
    }

    fn read_without_tables(path: &Path, name: String) -> Self {
        let mut case = Self { path: path.to_owned(), name, ..Self::default() };
        if !path.is_dir() {
            case.gaps.push("the case's folder is missing: the case did not start".into());
            return case;
        }
        let gaps = &mut case.gaps;
        case.result = json(&path.join("result.json"), gaps);
        case.series = table(&path.join("series.csv"), gaps);
        case.scenario_yaml = text(&path.join("scenario.yaml"), gaps);
        case.cluster_yaml = text(&path.join("cluster.yaml"), gaps);
        case
    }

    /// Reads what agents used of CPU from `resources.csv`, row by row, up to the first that is damaged; nothing if it is
    /// missing. A day of a hundred agents has millions of rows, of which this reads four columns.
    pub fn each_cpu(&self, mut each: impl FnMut(CpuRow<'_>)) {
        let Ok(mut rows) = csv::Reader::from_path(self.path.join("resources.csv")) else { return };
        let Some(places) = rows.byte_headers().ok().and_then(CpuRow::places) else { return };
        let mut row = csv::ByteRecord::new();
        while rows.read_byte_record(&mut row).unwrap_or(false) {
            match CpuRow::of(&row, places) {
                Some(row) => each(row),
                None => return,
            }
        }
    }

    /// Reads `latency.hlog`, line by line; a text if it is missing or ends in damage.
    pub fn latencies(&self, each: impl FnMut(LogLine)) -> Option<String> {
        log(&self.path.join("latency.hlog"), each)
    }

    /// Reads `totals.hlog`; a text if it is missing or damaged.
    pub fn totals(&self, each: impl FnMut(LogLine)) -> Option<String> {
        log(&self.path.join("totals.hlog"), each)
    }
}

/// Reads `run.json` alone: all that the index needs of a run that finished.
#[must_use]
pub fn read_summary(path: &Path) -> Option<RunResult> {
    json(&path.join("run.json"), &mut Vec::new())
}

/// The start as RFC 3339, empty if there is none, and the name in a run's id, `20260102-030405-name-1a2b`. An id that was
/// chosen is its own name.
#[must_use]
pub fn parts_of_id(id: &str) -> (String, String) {
    let digits = |range: std::ops::Range<usize>| {
        id.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let parts = [0..4, 4..6, 6..8, 9..11, 11..13, 13..15].map(digits);
    let [Some(y), Some(mo), Some(d), Some(h), Some(m), Some(s)] = parts else {
        return (String::new(), id.to_owned());
    };
    let name = id.get(16..).and_then(|rest| rest.rsplit_once('-'));
    let name = name.map_or(id, |(name, _)| name).to_owned();
    (format!("{y}-{mo}-{d}T{h}:{m}:{s}Z"), name)
}

/// Cases in the order of `run.json`, else of the journal; what else lies under `cases/` comes after.
fn case_names(
    path: &Path,
    result: Option<&RunResult>,
    events: &[TimedEvent],
) -> Result<Vec<String>, ArchiveError> {
    let started = || {
        events.iter().find_map(|timed| match &timed.event {
            RunEvent::RunStarted { cases, .. } => Some(cases.clone()),
            _ => None,
        })
    };
    let mut names = match result {
        Some(result) => result.cases.iter().map(|case| case.name.clone()).collect(),
        None => started().unwrap_or_default(),
    };
    // A name in a file is not trusted with the way to a folder.
    names.retain(|name| super::file::check_name(name).is_ok());
    let mut found = Vec::new();
    match fs::read_dir(path.join("cases")) {
        Ok(entries) => {
            found.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(ArchiveError::read(path.join("cases"), source)),
    }
    found.retain(|name| super::file::check_name(name).is_ok() && !names.contains(name));
    found.sort();
    names.extend(found);
    Ok(names)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn text(path: &Path, gaps: &mut Vec<String>) -> Option<String> {
    let name = file_name(path);
    match fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            gaps.push(format!("{name} is missing"));
            None
        }
        Err(error) => {
            gaps.push(format!("{name} cannot be read: {error}"));
            None
        }
    }
}

fn json<T: DeserializeOwned>(path: &Path, gaps: &mut Vec<String>) -> Option<T> {
    let text = text(path, gaps)?;
    match serde_json::from_str(&text) {
        Ok(value) => Some(value),
        Err(error) => {
            gaps.push(format!("{} is damaged: {error}", file_name(path)));
            None
        }
    }
}

/// Rows up to the first damaged one.
fn table<T: DeserializeOwned>(path: &Path, gaps: &mut Vec<String>) -> Vec<T> {
    let Some(text) = text(path, gaps) else { return Vec::new() };
    let whole = whole_lines(&text, &file_name(path), gaps);
    let mut rows = Vec::new();
    for (at, row) in csv::Reader::from_reader(whole.as_bytes()).deserialize().enumerate() {
        match row {
            Ok(row) => rows.push(row),
            Err(error) => {
                gaps.push(format!("{} is damaged in row {}: {error}", file_name(path), at + 1));
                break;
            }
        }
    }
    rows
}

fn events(path: &Path, gaps: &mut Vec<String>) -> Vec<TimedEvent> {
    let Some(text) = text(path, gaps) else { return Vec::new() };
    let mut events = Vec::new();
    for (at, line) in whole_lines(&text, &file_name(path), gaps).lines().enumerate() {
        if line.contains(INTERVAL_MARK) {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(error) => gaps.push(format!("events.jsonl, line {}: {error}", at + 1)),
        }
    }
    events
}

fn log(path: &Path, each: impl FnMut(LogLine)) -> Option<String> {
    let mut gaps = Vec::new();
    if let Some(text) = text(path, &mut gaps)
        && let Err((line, what)) = hlog::read(&text, each)
    {
        let line = line.map(|n| format!(", line {n}")).unwrap_or_default();
        gaps.push(format!("{}{line}: {what}", file_name(path)));
    }
    gaps.pop()
}

/// Leaves out a last line that was cut short.
fn whole_lines<'a>(text: &'a str, name: &str, gaps: &mut Vec<String>) -> &'a str {
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    if end < text.len() {
        gaps.push(format!("{name} ends within a line, which is left out"));
    }
    &text[..end]
}
