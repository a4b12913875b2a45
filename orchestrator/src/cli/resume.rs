//! `mallard resume`: takes over a run whose controller died.

use super::{
    Outcome,
    args::ResumeArgs,
    order::{Order, fingerprint},
    planning,
    run::begin,
};
use crate::{
    archive::{ArchiveError, RunFolder, read},
    model::exit_code,
    plan::Plan,
    sinks::EventSinks,
    terminal::Style,
    text::error_chain::{chain, error_text},
};
use mallard_protocol::BUILD_ID;
use std::path::{Path, PathBuf};

/// Why a run cannot be taken over.
#[derive(Debug, thiserror::Error)]
enum ResumeError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("take over {run}: it is over; its report is {report}")]
    Over { run: String, report: String },
    #[error(
        "take over {run}: build {began} began it and this is build {BUILD_ID}; its agents talk to no \
         other, so use that one"
    )]
    OtherBuild { run: String, began: String },
    #[error(
        "take over {run}: its files say something else now than when it began; restore {} and what \
         they name, then try again before the agents' lease ends", files.join(", ")
    )]
    OtherPlan { run: String, files: Vec<String> },
    #[error("take over {run}: go to {}, where it was started", folder.display())]
    Folder {
        run: String,
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Takes over a run and brings it to its end.
pub(super) fn resume(args: &ResumeArgs) -> Outcome {
    let found = find(args);
    let (path, order) = match found {
        Ok(found) => found,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    // Taken first: whoever holds it knows better what is to be done.
    let folder = match RunFolder::reopen(&path) {
        Ok(folder) => folder,
        Err(cause @ ArchiveError::Held { .. }) => {
            return Outcome::failed(exit_code::USAGE, error_text(&cause));
        }
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let plan = match replan(folder.id(), &order) {
        Ok(plan) => plan,
        Err(outcome) => return outcome,
    };
    let style = Style::choose(args.quiet);
    match EventSinks::new(style, &order.exports) {
        Ok(sinks) => begin(Ok(folder), plan, order, sinks),
        // Agents wait for somebody to collect what they measure: that comes first.
        Err(cause) => {
            let warning = format!("warning: the run is not exported: {}\n", chain(&cause));
            let mut outcome = begin(Ok(folder), plan, order, EventSinks::to_terminal(style));
            outcome.stderr.insert_str(0, &warning);
            outcome
        }
    }
}

fn find(args: &ResumeArgs) -> Result<(PathBuf, Order), ResumeError> {
    let path = read::find_run(&args.results, &args.run)?;
    let run = name(&path);
    if path.join("run.json").is_file() {
        let report = path.join("report.html").display().to_string();
        return Err(ResumeError::Over { run, report });
    }
    let order: Order = read::order(&path)?;
    if order.build_id != BUILD_ID {
        return Err(ResumeError::OtherBuild { run, began: order.build_id });
    }
    std::env::set_current_dir(&order.folder).map_err(|source| ResumeError::Folder {
        run,
        folder: order.folder.clone(),
        source,
    })?;
    Ok((path, order))
}

/// The plan again, from the same files, settings and run id; secrets come from the environment.
fn replan(run: &str, order: &Order) -> Result<Plan, Outcome> {
    let leave_out = order.rerun.as_ref().map(|rerun| rerun.passed.clone()).unwrap_or_default();
    let (plan, _warned_already) = planning::load_and_plan_without(&order.plan, run, leave_out)?;
    if fingerprint(&plan) == order.fingerprint {
        return Ok(plan);
    }
    let files = order.plan.scenarios.iter().chain(&order.plan.cluster);
    let files = files.map(|path| path.display().to_string()).collect();
    let cause = ResumeError::OtherPlan { run: run.to_owned(), files };
    Err(Outcome::failed(exit_code::USAGE, error_text(&cause)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
