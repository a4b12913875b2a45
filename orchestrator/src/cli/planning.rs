//! From a command line to a plan, with its warnings.

use super::{
    Outcome,
    args::PlanArgs,
    files::{cluster, colour, options, refused, scenarios},
    pairs, run_id,
};
use crate::{
    config::{Diagnostic, render::render, tidy},
    plan::{Plan, PlanOptions},
};
use std::collections::BTreeSet;

/// Loads the files of a command line and plans their cases. With the plan come its warnings, rendered.
///
/// # Errors
///
/// An outcome with every mistake in the files and settings, and the exit code for them.
pub fn load_and_plan(args: &PlanArgs, run_id: &str) -> Result<(Plan, String), Outcome> {
    load_and_plan_without(args, run_id, BTreeSet::new())
}

/// The same without some cases.
///
/// # Errors
///
/// As [`load_and_plan`].
pub(super) fn load_and_plan_without(
    args: &PlanArgs,
    run_id: &str,
    leave_out: BTreeSet<String>,
) -> Result<(Plan, String), Outcome> {
    if let Some(against) = &args.pairs.against {
        let (mut plan, warnings) = pairs::planned(args, against, run_id)?;
        let found = warnings.into_iter().chain(std::mem::take(&mut plan.warnings)).collect();
        return Ok(with_warnings(plan, found));
    }
    let (scenarios, mut warnings) = scenarios(args)?;
    let cluster = cluster(args.cluster.as_deref()).map_err(|mistakes| refused(&mistakes))?;
    let options = PlanOptions { leave_out, ..options(args, run_id)? };
    match crate::plan::plan(&scenarios, &cluster, &options) {
        Ok(plan) => {
            warnings.extend(plan.warnings.iter().cloned());
            Ok(with_warnings(plan, warnings))
        }
        Err(mut mistakes) => {
            mistakes.extend(warnings);
            tidy(&mut mistakes);
            Err(refused(&mistakes))
        }
    }
}

/// A plan with what is to be warned of, rendered.
fn with_warnings(plan: Plan, mut warnings: Vec<Diagnostic>) -> (Plan, String) {
    warnings.extend(crate::calibrate::warnings(&plan, &run_id::calibrations()));
    tidy(&mut warnings);
    (plan, render(&warnings, colour()))
}
