//! Baselines: runs with a name, in `results/baselines.json`.

use crate::{
    archive::{self, ArchiveError, read},
    model::result::RunResult,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Name of the file in the archive.
pub const FILE: &str = "baselines.json";

/// Runs with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Ids of the runs, as they were named.
    pub runs: Vec<String>,
    /// When it was set, RFC 3339, UTC.
    pub set_at: String,
    /// Who set it, by the name of the login, where it is known.
    pub set_by: Option<String>,
    /// What was said of it.
    #[serde(default)]
    pub remark: String,
    /// For each case the digests of what determined its figures, by part.
    pub fingerprint: BTreeMap<String, BTreeMap<String, String>>,
}

/// The baselines of an archive, by name.
pub type Baselines = BTreeMap<String, Baseline>;

/// Why something of baselines could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A name that is taken by a run.
    #[error("set the baseline {name}: a run is called so; choose another name")]
    IsRun {
        /// The name.
        name: String,
    },
    /// A name that means something else in the archive.
    #[error(
        "set the baseline {name}: that means something else in the archive; choose another name"
    )]
    Reserved {
        /// The name.
        name: String,
    },
    /// A run without `run.json`.
    #[error("set the baseline {name}: run {run} is not over: it has no run.json")]
    NotOver {
        /// The baseline's name.
        name: String,
        /// The run.
        run: String,
    },
    /// A run of another archive.
    #[error("set the baseline {name}: run {run} is not in {}", results.display())]
    Elsewhere {
        /// The baseline's name.
        name: String,
        /// The run.
        run: String,
        /// The archive.
        results: PathBuf,
    },
    /// A baseline that is not there.
    #[error("there is no baseline {name} in {}; {known}", results.display())]
    Missing {
        /// The name.
        name: String,
        /// The archive.
        results: PathBuf,
        /// Which there are, in words.
        known: String,
    },
    /// A name that neither a run nor a baseline has.
    #[error("{run}; nor is there a baseline of that name: {known}")]
    Neither {
        /// What was said of the run.
        run: String,
        /// Which baselines there are, in words.
        known: String,
    },
}

/// Reads the baselines of an archive: none if there is no file.
///
/// # Errors
///
/// When the file cannot be read or is damaged.
pub fn all(results: &Path) -> Result<Baselines, ArchiveError> {
    let path = results.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Baselines::new()),
        Err(source) => return Err(ArchiveError::read(path, source)),
    };
    serde_json::from_slice(&text).map_err(|error| ArchiveError::Damaged {
        path,
        line: Some(error.line()),
        what: error.to_string(),
    })
}

/// Gives runs a name, or the name other runs.
///
/// # Errors
///
/// When a run is not there, is not over or is of another archive, when the name is no name or a run's, or
/// when the file cannot be written.
pub fn set(
    results: &Path,
    name: &str,
    runs: &[String],
    (set_at, set_by, remark): (String, Option<String>, String),
) -> Result<Baseline, BaselineError> {
    match archive::check_id(name) {
        Err(ArchiveError::Reserved { name }) => return Err(BaselineError::Reserved { name }),
        checked => checked?,
    }
    if read::is_run(&results.join(name)) {
        return Err(BaselineError::IsRun { name: name.to_owned() });
    }
    let (mut ids, mut fingerprint) = (Vec::new(), BTreeMap::new());
    for run in runs {
        let folder = read::find_run(results, run)?;
        let (id, result) = finished(results, name, &folder)?;
        for case in &result.cases {
            let parts = case.fingerprint.iter().flat_map(|of| of.parts());
            let digests = parts.map(|(part, of)| (part.to_owned(), of.digest.clone())).collect();
            fingerprint.insert(case.name.clone(), digests);
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let baseline = Baseline { runs: ids, set_at, set_by, remark, fingerprint };
    let mut baselines = all(results)?;
    baselines.insert(name.to_owned(), baseline.clone());
    write(results, &baselines)?;
    Ok(baseline)
}

/// A run of this archive that is over: its id and its result.
fn finished(
    results: &Path,
    name: &str,
    folder: &Path,
) -> Result<(String, RunResult), BaselineError> {
    let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !read::is_run(&results.join(&id)) {
        let (name, results) = (name.to_owned(), results.to_owned());
        return Err(BaselineError::Elsewhere { name, run: id, results });
    }
    match read::read_summary(folder) {
        Some(result) => Ok((id, result)),
        None => Err(BaselineError::NotOver { name: name.to_owned(), run: id }),
    }
}

/// Takes a name away. Its runs stay.
///
/// # Errors
///
/// When there is no such baseline, or the file cannot be written.
pub fn remove(results: &Path, name: &str) -> Result<(), BaselineError> {
    let mut baselines = all(results)?;
    if baselines.remove(name).is_none() {
        let (name, results) = (name.to_owned(), results.to_owned());
        return Err(BaselineError::Missing { name, results, known: known(&baselines) });
    }
    Ok(write(results, &baselines)?)
}

/// The folders of the runs that a name stands for: those of a baseline, or a run by its id, its folder or
/// `latest`.
///
/// # Errors
///
/// When neither is there, or a baseline's run is gone.
pub fn resolve(results: &Path, name: &str) -> Result<Vec<PathBuf>, BaselineError> {
    let baselines = all(results)?;
    if let Some(baseline) = baselines.get(name) {
        let folders = baseline.runs.iter().map(|run| read::find_run(results, run));
        return Ok(folders.collect::<Result<_, _>>()?);
    }
    match read::find_run(results, name) {
        Ok(folder) => Ok(vec![folder]),
        Err(run @ ArchiveError::NoRun { .. }) => {
            Err(BaselineError::Neither { run: run.to_string(), known: known(&baselines) })
        }
        Err(other) => Err(other.into()),
    }
}

/// Which baselines there are, in words.
fn known(baselines: &Baselines) -> String {
    match baselines.is_empty() {
        true => "none is set".to_owned(),
        false => {
            let names: Vec<&str> = baselines.keys().map(String::as_str).collect();
            format!("there are {}", names.join(", "))
        }
    }
}

fn write(results: &Path, baselines: &Baselines) -> Result<(), ArchiveError> {
    let path = results.join(FILE);
    let mut bytes = serde_json::to_vec_pretty(baselines).map_err(|error| {
        ArchiveError::Damaged { path: path.clone(), line: None, what: error.to_string() }
    })?;
    bytes.push(b'\n');
    archive::write_whole(&path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(results: &Path, id: &str) {
        let folder = results.join(id);
        fs::create_dir_all(&folder).unwrap();
        let result = serde_json::json!({
            "schema_version": 1, "run_id": id, "name": "steady", "started_at": "", "ended_at": "",
            "verdict": "pass", "sentence": "", "reasons": [], "versions": {}, "command_line": [],
            "cases": [{"name": "steady", "scenario": "steady", "verdict": "pass", "sentence": "",
                "duration_us": 1, "headline": {}}],
        });
        fs::write(folder.join("run.json"), result.to_string()).unwrap();
    }

    fn said() -> (String, Option<String>, String) {
        ("2026-03-14T14:02:38Z".into(), Some("ann".into()), "before the upgrade".into())
    }

    #[test]
    fn a_baseline_is_set_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path();
        run(results, "one");
        run(results, "two");
        let asked = ["one".to_owned(), "two".to_owned(), "one".to_owned()];
        let set = set(results, "main", &asked, said()).unwrap();
        assert_eq!(set.runs, ["one", "two"]);
        assert_eq!(set.fingerprint.keys().collect::<Vec<_>>(), ["steady"]);
        assert_eq!(all(results).unwrap()["main"], set);
        assert_eq!(resolve(results, "main").unwrap().len(), 2);
        assert_eq!(resolve(results, "two").unwrap().len(), 1);
        remove(results, "main").unwrap();
        let gone = resolve(results, "main").unwrap_err().to_string();
        assert!(gone.contains("nor is there a baseline") && gone.contains("none is set"), "{gone}");
    }

    #[test]
    fn what_cannot_be_a_baseline_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        run(&results, "one");
        fs::create_dir_all(results.join("broken")).unwrap();
        fs::write(results.join("broken/events.jsonl"), "").unwrap();
        run(folder.path(), "elsewhere");
        let outside = folder.path().join("elsewhere").display().to_string();
        let refused = |name: &str, of: &str| {
            set(&results, name, &[of.to_owned()], said()).unwrap_err().to_string()
        };
        assert!(refused("one", "one").contains("a run is called so"));
        assert!(
            refused("latest", "one").contains("means something else"),
            "{}",
            refused("latest", "one")
        );
        assert!(refused("../x", "one").contains("as the name of a folder"));
        assert!(refused("main", "none").contains("none"));
        assert!(refused("main", "broken").contains("not over"));
        assert!(refused("main", &outside).contains("is not in"));
        assert!(remove(&results, "main").unwrap_err().to_string().contains("no baseline main"));
        fs::write(results.join(FILE), "{").unwrap();
        assert!(all(&results).unwrap_err().to_string().contains("baselines.json, line 1"));
    }
}
