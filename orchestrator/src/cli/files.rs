//! What all commands on scenario files share: loading, planning, and telling every mistake.

use super::{
    Outcome,
    args::{PlanArgs, RunArgs, ValidateArgs},
};
use crate::{
    archive, exit_code,
    load::{self, Diagnostic, files, render},
    plan::{self, Plan, PlanOptions},
};
use jiff::Timestamp;
use std::{io::IsTerminal, path::Path};

/// The run's id: as asked for, else by time and the first scenario's file.
pub(super) fn run_id(args: &RunArgs) -> String {
    let stem = args.plan.scenarios.first().and_then(|path| path.file_stem());
    let name = stem.map_or("run".into(), |stem| stem.to_string_lossy());
    args.id.clone().unwrap_or_else(|| archive::new_id(&name, Timestamp::now()))
}

/// Loads and plans; the plan with its warnings, rendered.
///
/// # Errors
/// Every mistake, as an outcome to end with.
pub(super) fn load_and_plan(
    args: &PlanArgs,
    run_id: &str,
    _agent: Option<&Path>,
) -> Result<(Plan, String), Outcome> {
    let environment = &load::process_environment;
    let scenarios = files::scenario_files(&args.scenarios, environment);
    let cluster = match &args.cluster {
        Some(path) => files::cluster_file(path, environment),
        None => files::default_cluster(Path::new("."), environment),
    };
    let (scenarios, cluster) = match (scenarios, cluster) {
        (Ok((scenarios, _)), Ok(cluster)) => (scenarios, cluster),
        (scenarios, cluster) => {
            let mut mistakes = scenarios.err().unwrap_or_default();
            mistakes.extend(cluster.err().unwrap_or_default());
            return Err(refused(&mistakes));
        }
    };
    let options = options(args, run_id).map_err(|mistake| refused(&[mistake]))?;
    let plan = plan::plan(&scenarios, &cluster, &options).map_err(|mistakes| refused(&mistakes))?;
    let warnings = render::render(&plan.warnings, colour());
    Ok((plan, warnings))
}

fn options(args: &PlanArgs, run_id: &str) -> Result<PlanOptions, Diagnostic> {
    let mut options = PlanOptions::new(run_id);
    for setting in &args.set {
        let Some((name, value)) = setting.split_once('=') else {
            let message = format!("--set {setting} is not of the form NAME=VALUE");
            return Err(Diagnostic::error("--set", message));
        };
        options.set.push((name.trim().to_owned(), value.to_owned()));
    }
    options.only.clone_from(&args.only);
    options.repeat = args.repeat;
    Ok(options)
}

fn refused(mistakes: &[Diagnostic]) -> Outcome {
    Outcome::failed(exit_code::USAGE, render::render(mistakes, colour()))
}

fn colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}

pub(super) fn list(args: &PlanArgs) -> Outcome {
    let _ = args;
    Outcome::ok(String::new())
}

pub(super) fn validate(args: &ValidateArgs) -> Outcome {
    let _ = args;
    Outcome::ok(String::new())
}

pub(super) fn plan(args: &PlanArgs) -> Outcome {
    let _ = args;
    Outcome::ok(String::new())
}
