//! A run's folder while the run goes on.

use super::{
    ArchiveError, CaseFolder,
    file::{self, Appender},
    lock::Lock,
    redact::Redactor,
};
use crate::{
    archive::file::write_json,
    model::{events::TimedEvent, result::RunResult},
};
use jiff::Timestamp;
use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
};

/// Folders tried before giving up: two runs must start in the same second and draw the same of 65,536
/// numbers for one retry.
const ATTEMPTS: usize = 16;

/// Longest part of a run's id that comes from the scenario's name.
const NAME_PART_LIMIT: usize = 80;

/// Names in `results/` that are not runs.
const RESERVED: [&str; 2] = ["latest", "index.html"];

/// Name of the file that says what was asked for.
pub(super) const ORDER: &str = "order.json";

/// A run's folder, open for writing. Two runs in one `results/` share nothing but the link `latest`
/// and the index, which are both replaced whole.
#[derive(Debug)]
pub struct RunFolder {
    id: String,
    path: PathBuf,
    events: Appender,
    redactor: Redactor,
    /// Held until this controller ends, however it ends.
    _lock: Lock,
}

impl RunFolder {
    /// Creates `results/<id>/` and points `results/latest` at it. Without an id, one is made from the
    /// time (UTC), the name and four random hexadecimal digits.
    ///
    /// # Errors
    ///
    /// When the id is taken or is no name for a folder, or when nothing can be written there.
    pub fn create(results: &Path, name: &str, id: Option<&str>) -> Result<Self, ArchiveError> {
        fs::create_dir_all(results).map_err(|source| ArchiveError::write(results, source))?;
        let (id, path) = match id {
            Some(id) => (id.to_owned(), create_named(results, id)?),
            None => create_unique(results, name)?,
        };
        fs::create_dir(path.join("cases"))
            .map_err(|source| ArchiveError::write(path.join("cases"), source))?;
        let lock = Lock::take(&path)?;
        let events = Appender::create(path.join("events.jsonl"))?;
        file::replace_link(&results.join("latest"), &id)?;
        Ok(Self { id, path, events, redactor: Redactor::default(), _lock: lock })
    }

    /// Opens the folder of a run whose controller died, to go on with it.
    ///
    /// # Errors
    ///
    /// When a living controller has it ([`ArchiveError::Held`]), or it cannot be read or written.
    pub fn reopen(path: &Path) -> Result<Self, ArchiveError> {
        let lock = Lock::take(path)?;
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let journal = path.join("events.jsonl");
        let text = fs::read(&journal).map_err(|source| ArchiveError::read(&journal, source))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let events = Appender::reopen(journal, whole as u64)?;
        let path = path.to_owned();
        Ok(Self { id, path, events, redactor: Redactor::default(), _lock: lock })
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The run's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Values that must never be written. Free text that holds one is masked.
    pub fn hide(&mut self, secrets: &[String]) {
        self.redactor.add(secrets);
    }

    /// An event as it may be shown and sent: without these values.
    #[must_use]
    pub fn masked(&self, event: TimedEvent) -> TimedEvent {
        self.redactor.event(event)
    }

    /// Opens the folder of a case.
    ///
    /// # Errors
    ///
    /// When the case is there already, its name is no name for a folder, or nothing can be written.
    pub fn case(&self, name: &str) -> Result<CaseFolder, ArchiveError> {
        file::check_name(name)?;
        CaseFolder::create(self.path.join("cases").join(name), self.redactor.clone())
    }

    /// Opens the folder of a case again, or for the first time. What followed from the agents' reports
    /// is removed, to be made again.
    ///
    /// # Errors
    ///
    /// When its name is no name for a folder, or nothing can be written.
    pub fn reopen_case(&self, name: &str) -> Result<CaseFolder, ArchiveError> {
        file::check_name(name)?;
        let path = self.path.join("cases").join(name);
        if !path.is_dir() {
            return self.case(name);
        }
        CaseFolder::reopen(path, self.redactor.clone())
    }

    /// Whether an earlier controller has begun the run: it wrote down what was asked for.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.path.join(ORDER).is_file()
    }

    /// Writes `order.json`: what was asked for.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn order<T: serde::Serialize>(&self, order: &T) -> Result<(), ArchiveError> {
        write_json(&self.path.join(ORDER), order)
    }

    /// Appends to `events.jsonl`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn event(&mut self, event: &TimedEvent) -> Result<(), ArchiveError> {
        let mut line = serde_json::to_vec(&self.redactor.event(event.clone()))
            .map_err(|error| ArchiveError::encode(self.events.path(), error))?;
        line.push(b'\n');
        self.events.append(&line)
    }

    /// Writes `run.json`. From then on the run is complete.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(&mut self, result: &RunResult) -> Result<(), ArchiveError> {
        self.events.sync()?;
        write_json(&self.path.join("run.json"), &self.redactor.run(result))
    }
}

fn create_named(results: &Path, id: &str) -> Result<PathBuf, ArchiveError> {
    check_id(id)?;
    let path = results.join(id);
    file::create_folder(&path)?;
    Ok(path)
}

/// Whether a run may have this id.
///
/// # Errors
///
/// When it is no name for a folder, or means something else in the archive.
pub fn check_id(id: &str) -> Result<(), ArchiveError> {
    file::check_name(id)?;
    if RESERVED.iter().any(|reserved| id.eq_ignore_ascii_case(reserved)) {
        return Err(ArchiveError::Reserved { name: id.to_owned() });
    }
    Ok(())
}

fn create_unique(results: &Path, name: &str) -> Result<(String, PathBuf), ArchiveError> {
    let mut attempts = 0;
    loop {
        let id = new_id(name, Timestamp::now());
        let path = results.join(&id);
        attempts += 1;
        match file::create_folder(&path) {
            Err(ArchiveError::Exists { .. }) if attempts < ATTEMPTS => {}
            outcome => return outcome.map(|()| (id, path)),
        }
    }
}

/// `<yyyymmdd-hhmmss>-<name>-<4 hex>`, in UTC.
#[must_use]
pub fn new_id(name: &str, now: Timestamp) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(safe).take(NAME_PART_LIMIT).collect();
    // The standard library seeds its hashers from the system's randomness.
    let random = RandomState::new().build_hasher().finish() & 0xffff;
    format!("{}-{name}-{random:04x}", now.strftime("%Y%m%d-%H%M%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_time_name_and_four_digits() {
        let id = new_id("a b/ü.c", "2026-01-02T03:04:05Z".parse().unwrap());
        let (head, random) = id.rsplit_once('-').unwrap();
        assert_eq!(head, "20260102-030405-a-b--.c");
        assert!(random.len() == 4 && random.chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn an_id_that_is_taken_is_refused_and_latest_points_at_the_newest() {
        let results = tempfile::tempdir().unwrap();
        let results = results.path().join("deep/results");
        let first = RunFolder::create(&results, "steady", Some("one")).unwrap();
        let second = RunFolder::create(&results, "steady", None).unwrap();
        let taken = RunFolder::create(&results, "steady", Some("one")).unwrap_err();
        assert!(taken.to_string().contains("exists already"), "{taken}");
        for reserved in ["latest", "Latest", "index.html"] {
            let refused = RunFolder::create(&results, "steady", Some(reserved)).unwrap_err();
            assert!(refused.to_string().contains("no run can be named"), "{refused}");
        }
        assert!(RunFolder::create(&results, "steady", Some("../out")).is_err());
        assert_eq!(fs::read_link(results.join("latest")).unwrap(), Path::new(second.id()));
        assert_eq!(first.path(), results.join("one"));
    }
}
