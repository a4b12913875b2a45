//! `mallard compare`: runs held against runs.

use super::{Outcome, args::CompareArgs};
use crate::{
    archive::{self, ArchiveError},
    metrics,
    model::exit_code,
    over_time::{
        baselines::{self, BaselineError},
        compare::{self, Asked, Comparison, Sides},
        history::History,
    },
    report::{ReportError, templates::Templates},
    text::error_chain::error_text,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Names of the files.
const JSON: &str = "comparison.json";
const PAGE: &str = "comparison.html";

/// Why nothing could be compared or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompareError {
    #[error(transparent)]
    Name(#[from] BaselineError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Page(#[from] ReportError),
    #[error("--metric {name}: there is no such metric{nearest}; `mallard metrics` lists them")]
    Metric { name: String, nearest: String },
    #[error("run {run} is on both sides")]
    Both { run: String },
}

/// Compares runs, writes both files and prints what came out.
pub(super) fn compare(args: &CompareArgs) -> Outcome {
    match compared(args) {
        Ok(outcome) => outcome,
        Err(cause @ CompareError::Page(_)) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
        Err(CompareError::Archive(
            cause @ (ArchiveError::Write { .. } | ArchiveError::NoSpace { .. }),
        )) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

fn compared(args: &CompareArgs) -> Result<Outcome, CompareError> {
    known_metrics(&args.metrics)?;
    let templates = Templates::load(args.templates.as_deref())?;
    let (base, with) = (folders(args, &args.base)?, folders(args, &args.with)?);
    if let Some(twice) = base.iter().find(|folder| with.contains(folder)) {
        return Err(CompareError::Both { run: id(twice) });
    }
    let sides = compare::read((args.base.clone(), &base), (args.with.clone(), &with))?;
    let newest = newest(&sides);
    let asked = Asked {
        tolerance: args.tolerance,
        metrics: args.metrics.clone(),
        across: args.across.clone(),
        paired: false,
    };
    let ids: Vec<String> = base.iter().chain(&with).map(|folder| id(folder)).collect();
    let comparison =
        compare::compare(sides, &asked, &|of| History::read(&args.results, of.key(), &ids));
    let folder = match (&args.output, newest) {
        (Some(output), _) => output.clone(),
        (None, Some(id_of)) => {
            base.iter().chain(&with).find(|folder| id(folder) == id_of).cloned().unwrap_or_default()
        }
        (None, None) => args.results.clone(),
    };
    let json = write(&folder, &comparison, &templates)?;
    let page = folder.join(PAGE);
    let stdout = match args.json {
        true => json,
        false => format!("{}comparison: {}\n", compare::text(&comparison), page.display()),
    };
    Ok(Outcome { stdout, stderr: String::new(), code: comparison.exit_code() })
}

/// Refuses metrics that do not exist before anything is read.
pub(super) fn known_metrics(names: &[String]) -> Result<(), CompareError> {
    match names.iter().find(|name| metrics::find(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let nearest = metrics::nearest(name);
            let nearest = nearest.map(|of| format!("; did you mean {}?", of.name));
            Err(CompareError::Metric { name: name.clone(), nearest: nearest.unwrap_or_default() })
        }
    }
}

/// Folders of runs that names stand for, each once.
fn folders(args: &CompareArgs, names: &[String]) -> Result<Vec<PathBuf>, BaselineError> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for name in names {
        for folder in baselines::resolve(&args.results, name)? {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    Ok(folders)
}

fn id(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The id of the run that was started last.
fn newest(sides: &Sides) -> Option<String> {
    let runs = sides.base.runs.iter().chain(&sides.with.runs);
    runs.max_by_key(|run| (&run.started_at, &run.run_id)).map(|run| run.run_id.clone())
}

fn write(folder: &Path, of: &Comparison, templates: &Templates) -> Result<String, CompareError> {
    let json = compare::json(of)?;
    fs::create_dir_all(folder).map_err(|source| ArchiveError::write(folder, source))?;
    archive::write_whole(&folder.join(JSON), json.as_bytes())?;
    archive::write_whole(&folder.join(PAGE), &compare::page(of, templates)?)?;
    Ok(json)
}
