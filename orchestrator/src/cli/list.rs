//! `mallard list`: cases by name, one a line.

use super::{Outcome, args::PlanArgs, files, planning};

/// Lists the cases of files and folders.
#[must_use]
pub fn list(args: &PlanArgs) -> Outcome {
    if args.shard.shard.is_some() || args.pairs.against.is_some() {
        // Which part a case falls to may depend on how long the others take, and pairs have an order of their own.
        return match planning::load_and_plan(args, "list") {
            Ok((plan, _)) => {
                Outcome::ok(plan.cases.iter().map(|case| format!("{}\n", case.name)).collect())
            }
            Err(outcome) => outcome,
        };
    }
    let listed = files::scenarios(args).and_then(|(scenarios, _)| {
        let options = files::options(args, "list")?;
        crate::plan::case_names(&scenarios, &options).map_err(|mistakes| files::refused(&mistakes))
    });
    match listed {
        Ok(names) => Outcome::ok(names.iter().map(|case| format!("{}\n", case.name)).collect()),
        Err(outcome) => outcome,
    }
}
