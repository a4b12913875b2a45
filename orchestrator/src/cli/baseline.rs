//! `mallard baseline`: runs with a name.

use super::{
    Outcome,
    args::{BaselineAction, BaselineArgs},
};
use crate::{
    clock,
    model::exit_code,
    over_time::baselines::{self, BaselineError, Baselines},
    text::{error_chain::error_text, format::date, table::Table, untrusted},
};

/// Sets, lists or removes baselines.
pub(super) fn baseline(args: &BaselineArgs) -> Outcome {
    match done(&args.action) {
        Ok(text) => Outcome::ok(text),
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

fn done(action: &BaselineAction) -> Result<String, BaselineError> {
    match action {
        BaselineAction::Set { name, runs, remark, results } => {
            let said = (clock::now_rfc3339(), login(), remark.clone());
            let set = baselines::set(results, name, runs, said)?;
            Ok(format!("{name}: {}\n", set.runs.join(", ")))
        }
        BaselineAction::List { results } => Ok(list(&baselines::all(results)?)),
        BaselineAction::Remove { name, results } => {
            baselines::remove(results, name)?;
            Ok(format!("{name} is no baseline any more; its runs stay\n"))
        }
    }
}

/// The name of the login, as shells have it.
fn login() -> Option<String> {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|of| !of.is_empty())
}

fn list(all: &Baselines) -> String {
    if all.is_empty() {
        return "no baseline is set; `mallard baseline set NAME RUN…` sets one\n".to_owned();
    }
    let mut table = Table::new(&["baseline", "set", "by", "runs", "remark"]);
    for (name, of) in all {
        let by = of.set_by.as_deref().unwrap_or("–");
        let (set_at, runs) = (date(&of.set_at), of.runs.join(" "));
        let cells = [name.as_str(), &set_at, by, &runs, &of.remark].map(untrusted::line);
        table.row(cells.each_ref().map(String::as_str));
    }
    table.text()
}
