//! What `run`, `plan` and `list` begin with: files and settings.

use super::{Outcome, args::PlanArgs};
use crate::{
    bounds::Outside,
    config::{Diagnostic, process_environment, render::render},
    model::exit_code,
    plan::PlanOptions,
    scenario,
    scenario::{LoadedScenario, cluster::Cluster},
    terminal::words::takes_colour,
};
use std::{collections::BTreeSet, io::IsTerminal as _, path::Path};

/// Scenario files, with warnings about folders.
pub(super) fn scenarios(
    args: &PlanArgs,
) -> Result<(Vec<LoadedScenario>, Vec<Diagnostic>), Outcome> {
    if args.scenarios.is_empty() {
        let nothing = Diagnostic::error("", "no scenario is named");
        return Err(refused(&[nothing.with_help("name scenario files, or folders of them")]));
    }
    scenario::scenario_files(&args.scenarios, &process_environment)
        .map_err(|mistakes| refused(&mistakes))
}

/// The cluster file that is named, or the one that is meant by default.
pub(super) fn cluster(path: Option<&Path>) -> Result<Cluster, Vec<Diagnostic>> {
    match path {
        Some(path) => scenario::cluster_file(path, &process_environment),
        None => scenario::default_cluster(Path::new(""), &process_environment),
    }
}

/// The settings of a command line.
pub(super) fn options(args: &PlanArgs, run_id: &str) -> Result<PlanOptions, Outcome> {
    let set = settings(&args.set).map_err(|mistakes| refused(&mistakes))?;
    Ok(PlanOptions {
        run_id: run_id.to_owned(),
        set,
        only: args.only.clone(),
        repeat: args.repeat,
        shard: args.shard.slice(),
        leave_out: BTreeSet::new(),
        first_number: 0,
        bounds: Outside::new(args.bounds.as_deref(), &process_environment),
    })
}

/// What `--set` says, name by name.
pub(super) fn settings(set: &[String]) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
    let (mut settings, mut mistakes) = (Vec::new(), Vec::new());
    for setting in set {
        match setting.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                settings.push((name.to_owned(), value.to_owned()));
            }
            _ => mistakes.push(
                Diagnostic::error("", format!("`--set {setting}` sets nothing"))
                    .with_help("write `--set name=value`"),
            ),
        }
    }
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// The outcome of mistakes in files.
#[must_use]
pub fn refused(mistakes: &[Diagnostic]) -> Outcome {
    Outcome::failed(exit_code::USAGE, render(mistakes, colour()))
}

/// Whether messages are coloured: where they are seen on a terminal.
#[must_use]
pub fn colour() -> bool {
    takes_colour() && std::io::stderr().is_terminal()
}
