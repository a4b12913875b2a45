//! `mallard run --rerun RUN`: once more what did not pass.

use super::{
    args::{PlanArgs, RunArgs},
    order::{Order, Rerun},
};
use crate::{
    archive::{ArchiveError, read},
    model::result::{Attempt, RunResult, Verdict},
    scenario::files::DEFAULT_CLUSTER,
};
use std::path::{Path, PathBuf};

/// Why a run cannot be repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum RerunError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("run {run} again: it is not over; `mallard resume {run}` brings it to its end")]
    NotOver { run: String },
    #[error(
        "run again what did not pass: pairs are run as a whole, so leave out --rerun or --against"
    )]
    Pairs,
    #[error("which scenarios? name files or folders, or `--rerun RUN` for those of an earlier run")]
    Nothing,
}

/// What a command line asks for: scenarios, and the run of which a part is repeated. Without scenarios those of that
/// run are meant, with its settings.
pub(super) fn asked(args: &RunArgs) -> Result<(PlanArgs, Option<Rerun>), RerunError> {
    let Some(name) = &args.rerun else {
        return match args.plan.scenarios.is_empty() {
            true => Err(RerunError::Nothing),
            false => Ok((args.plan.clone(), None)),
        };
    };
    let folder = read::find_run(&args.results, name)?;
    let run = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(result) = read::read_summary(&folder) else { return Err(RerunError::NotOver { run }) };
    let plan = match args.plan.scenarios.is_empty() {
        true => as_ordered(&read::order::<Order>(&folder)?),
        false => args.plan.clone(),
    };
    if plan.pairs.against.is_some() {
        return Err(RerunError::Pairs);
    }
    Ok((plan, Some(Rerun::of(&result))))
}

impl Rerun {
    fn of(parent: &RunResult) -> Self {
        let passed = parent.cases.iter().filter(|case| case.verdict == Verdict::Pass);
        let others = parent.cases.iter().filter(|case| case.verdict != Verdict::Pass);
        let attempts = others.map(|case| {
            let last = Attempt {
                run_id: parent.run_id.clone(),
                verdict: case.verdict,
                sentence: case.sentence.clone(),
            };
            (case.name.clone(), case.earlier.iter().cloned().chain([last]).collect())
        });
        Self {
            parent: parent.run_id.clone(),
            passed: passed.map(|case| case.name.clone()).collect(),
            earlier: attempts.collect(),
        }
    }
}

/// What a run was ordered with, from wherever it was ordered.
fn as_ordered(order: &Order) -> PlanArgs {
    let from = |path: &PathBuf| order.folder.join(path);
    let default =
        || Some(order.folder.join(DEFAULT_CLUSTER)).filter(|path: &PathBuf| is_file(path));
    PlanArgs {
        scenarios: order.plan.scenarios.iter().map(from).collect(),
        cluster: order.plan.cluster.as_ref().map(from).or_else(default),
        bounds: order.plan.bounds.as_ref().map(from),
        ..order.plan.clone()
    }
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
