//! A case's folder while the case runs.

use super::{
    ArchiveError,
    csv::{self, PartitionLine, Table},
    file::{self, write_json},
    hlog::{self, Latencies, LogWriter},
    intervals::{self, IntervalLog, IntervalReader},
    log::LogFile,
    redact::Redactor,
    thin_out::ThinOut,
};
use crate::model::{
    fault::FaultResult,
    result::{CaseResult, ErrorRow, LagRow, PartitionSeriesRow, ResourceRow, SeriesRow},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files that follow from the agents' reports, and are made again when a case is taken over.
const DERIVED: [&str; 9] = [
    "series.csv",
    "resources.csv",
    "errors.csv",
    "lag.csv",
    "latency.hlog",
    "partitions.csv",
    "partition_series.csv",
    "totals.hlog",
    "result.json",
];

/// Name of the file that says what became of faults.
const FAULTS: &str = "faults.jsonl";

/// Name of the file that says how far a case had come.
const CHECKPOINT: &str = "checkpoint.json";

/// A case's folder, open for writing. Every call leaves whole lines and whole files behind, so a
/// case that is cut off at any point can be read.
#[derive(Debug)]
pub struct CaseFolder {
    path: PathBuf,
    redactor: Redactor,
    series: Table,
    resources: Table,
    thin_out: ThinOut,
    errors: Table,
    lag: Table,
    latency: Option<LogWriter>,
    load_started_at: Option<Timestamp>,
    /// First and last microsecond that was appended.
    stretch: Option<(u64, u64)>,
}

impl CaseFolder {
    pub(super) fn create(path: PathBuf, redactor: Redactor) -> Result<Self, ArchiveError> {
        file::create_folder(&path)?;
        Self::open(path, redactor)
    }

    /// Opens the folder of a case whose controller died. What follows from the agents' reports is
    /// removed, because it is made again from them; reports, inputs and the checkpoint stay.
    pub(super) fn reopen(path: PathBuf, redactor: Redactor) -> Result<Self, ArchiveError> {
        for name in DERIVED {
            file::remove(&path.join(name))?;
        }
        Self::open(path, redactor)
    }

    fn open(path: PathBuf, redactor: Redactor) -> Result<Self, ArchiveError> {
        let table = |name: &str| Table::create(path.join(name));
        Ok(Self {
            series: table("series.csv")?,
            resources: table("resources.csv")?,
            errors: table("errors.csv")?,
            lag: table("lag.csv")?,
            thin_out: ThinOut::default(),
            latency: None,
            load_started_at: None,
            stretch: None,
            redactor,
            path,
        })
    }

    /// The case's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `scenario.yaml` and `cluster.yaml`, from which secrets have been removed.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn inputs(&self, scenario_yaml: &str, cluster_yaml: &str) -> Result<(), ArchiveError> {
        for (name, text) in [("scenario.yaml", scenario_yaml), ("cluster.yaml", cluster_yaml)] {
            file::write_whole(&self.path.join(name), self.redactor.text(text).as_bytes())?;
        }
        Ok(())
    }

    /// Says when the run's clock was zero. Called before the first interval.
    pub fn load_started(&mut self, at: Timestamp) {
        self.load_started_at = Some(at);
    }

    /// Appends one interval to `series.csv`, `resources.csv`, `errors.csv`, `lag.csv` and
    /// `latency.hlog`. Intervals come in order.
    ///
    /// # Errors
    ///
    /// When a file cannot be written. The other files keep what they have.
    pub fn append_interval(
        &mut self,
        row: &SeriesRow,
        resources: &[ResourceRow],
        errors: &[ErrorRow],
        lag: &[LagRow],
        latencies: Latencies<'_>,
    ) -> Result<(), ArchiveError> {
        self.series.append(std::slice::from_ref(row))?;
        let resources = self.thin_out.add(resources);
        self.resources.append(&resources)?;
        self.errors.append(errors)?;
        self.lag.append(lag)?;
        let stretch = (row.start_us, row.end_us);
        self.latency_log(row.end_us)?.append(stretch, &row.phase, latencies)?;
        let first = self.stretch.map_or(row.start_us, |(first, _)| first);
        self.stretch = Some((first, row.end_us));
        Ok(())
    }

    /// Starts `agents/<agent>/agent.log.gz`.
    ///
    /// # Errors
    ///
    /// When it is there already, or cannot be written.
    pub fn agent_log(&self, agent: &str) -> Result<LogFile, ArchiveError> {
        file::check_name(agent)?;
        let folder = self.path.join("agents").join(agent);
        fs::create_dir_all(&folder).map_err(|source| ArchiveError::write(&folder, source))?;
        LogFile::create(folder.join("agent.log.gz"), self.redactor.clone())
    }

    /// Starts `agents/<agent>/intervals`, or goes on with it after so many bytes.
    ///
    /// # Errors
    ///
    /// When it is there already and nothing is known of it, or cannot be written.
    pub fn interval_log(&self, agent: &str, whole_bytes: u64) -> Result<IntervalLog, ArchiveError> {
        file::check_name(agent)?;
        let path = interval_path(&self.path, agent);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(|source| ArchiveError::write(folder, source))?;
        match whole_bytes {
            0 => {
                file::remove(&path)?;
                IntervalLog::create(path)
            }
            whole => IntervalLog::reopen(path, whole),
        }
    }

    /// Reads what an agent reported so far.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or another build wrote it.
    pub fn read_intervals(&self, agent: &str) -> Result<IntervalReader, ArchiveError> {
        IntervalReader::open(&interval_path(&self.path, agent))
    }

    /// Removes what agents reported if all of it takes more bytes than are to be kept, and says how many
    /// that were. Only for a case whose results are safe: until then whoever takes it over needs them.
    ///
    /// # Errors
    ///
    /// When the reports cannot be found or removed.
    pub fn limit_intervals(&self, keep_bytes: u64) -> Result<Option<u64>, ArchiveError> {
        let files = intervals::files(&self.path)?;
        let mut bytes = 0;
        for (_, path) in &files {
            let facts = fs::metadata(path).map_err(|source| ArchiveError::read(path, source))?;
            bytes += facts.len();
        }
        if bytes <= keep_bytes {
            return Ok(None);
        }
        files.iter().try_for_each(|(_, path)| file::remove(path))?;
        Ok(Some(bytes))
    }

    /// Writes `checkpoint.json`. What it holds is known to be no secret.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn checkpoint<T: Serialize>(&self, checkpoint: &T) -> Result<(), ArchiveError> {
        write_json(&self.path.join(CHECKPOINT), checkpoint)
    }

    /// Appends what became of a fault to `faults.jsonl`. Secrets are masked.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn append_fault(&self, fault: &FaultResult) -> Result<(), ArchiveError> {
        let path = self.path.join(FAULTS);
        let whole = fs::metadata(&path).map_or(0, |found| found.len());
        let line = serde_json::to_string(fault)
            .map_err(|source| ArchiveError::write(&path, source.into()))?;
        let line = format!("{}\n", self.redactor.text(&line));
        file::Appender::reopen(path, whole)?.append(line.as_bytes())
    }

    /// What stands in `faults.jsonl`, up to the first line that cannot be read.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultResult> {
        let text = fs::read_to_string(self.path.join(FAULTS)).unwrap_or_default();
        text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Writes the log of a broker that ran for this case: `brokers/<broker>.log.gz`. Secrets are masked.
    ///
    /// # Errors
    ///
    /// When the name is no name for a file, or nothing can be written.
    pub fn broker_log(&self, broker: &str, log: &[u8]) -> Result<(), ArchiveError> {
        file::check_name(broker)?;
        let folder = self.path.join("brokers");
        fs::create_dir_all(&folder).map_err(|source| ArchiveError::write(&folder, source))?;
        let path = folder.join(format!("{broker}.log.gz"));
        let mut kept = LogFile::create(path, self.redactor.clone())?;
        kept.append(log)?;
        kept.finish()
    }

    /// Writes what is known once the case is judged: `partitions.csv`, `partition_series.csv`,
    /// `totals.hlog` (the latencies of the measured phases, as the metrics have them), and last
    /// `result.json`.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn finish(
        &mut self,
        result: &CaseResult,
        partition_series: &[PartitionSeriesRow],
        totals: Option<Latencies<'_>>,
    ) -> Result<(), ArchiveError> {
        self.flush()?;
        if let Some(latency) = &self.latency {
            latency.sync()?;
        }
        for table in [&self.series, &self.resources, &self.errors, &self.lag] {
            table.sync()?;
        }
        let lines: Vec<_> = result.partitions.iter().map(PartitionLine::from).collect();
        csv::write_whole(&self.path.join("partitions.csv"), &lines)?;
        csv::write_whole(&self.path.join("partition_series.csv"), partition_series)?;
        if let Some(totals) = totals {
            self.write_totals(totals)?;
        }
        write_json(&self.path.join("result.json"), &self.redactor.case(result))?;
        file::remove(&self.path.join(CHECKPOINT))
    }

    /// Writes what is being added up.
    fn flush(&mut self) -> Result<(), ArchiveError> {
        self.resources.append(&self.thin_out.take())?;
        self.latency.as_mut().map_or(Ok(()), LogWriter::flush)
    }

    fn write_totals(&self, totals: Latencies<'_>) -> Result<(), ArchiveError> {
        let path = self.path.join("totals.hlog");
        let at = self.load_started_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let text = hlog::totals(at, self.stretch.unwrap_or_default(), totals)
            .map_err(|what| ArchiveError::encode(&path, what))?;
        file::write_whole(&path, text.as_bytes())
    }

    fn latency_log(&mut self, now_us: u64) -> Result<&mut LogWriter, ArchiveError> {
        if self.latency.is_none() {
            // Nobody said when the load started: it was as long ago as the run's clock shows.
            let since = SignedDuration::from_micros(i64::try_from(now_us).unwrap_or(0));
            let started = *self.load_started_at.get_or_insert(Timestamp::now() - since);
            self.latency = Some(LogWriter::create(self.path.join("latency.hlog"), started)?);
        }
        match &mut self.latency {
            Some(latency) => Ok(latency),
            None => unreachable!("it was made above"),
        }
    }
}

impl Drop for CaseFolder {
    /// A case that ends early keeps what was being added up.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Reads a case's `checkpoint.json`; `None` if there is none, or none that this build can read.
#[must_use]
pub fn read_checkpoint<T: DeserializeOwned>(case: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(case.join(CHECKPOINT)).ok()?).ok()
}

fn interval_path(case: &Path, agent: &str) -> PathBuf {
    case.join("agents").join(agent).join(intervals::FILE)
}
