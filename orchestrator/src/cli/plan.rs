//! `mallard plan`: who runs what where, how long, how many bytes.

use super::{Outcome, args::PlanArgs, planning};
use crate::plan::show;

/// Stands for a run's id where there is no run; as long as one with a short name.
const NO_RUN: &str = "00000000-000000-plan-0000";

/// Shows the plan of files and folders.
#[must_use]
pub fn plan(args: &PlanArgs) -> Outcome {
    match planning::load_and_plan(args, NO_RUN) {
        Ok((plan, warnings)) => {
            let text = show::text(&plan).replace(NO_RUN, "RUN");
            Outcome { stderr: warnings, ..Outcome::ok(text) }
        }
        Err(outcome) => outcome,
    }
}
