//! `mallard trend`: a scenario's figures over all its runs.

use super::{Outcome, args::TrendArgs, compare::known_metrics, files};
use crate::{
    archive::{self, ArchiveError},
    model::exit_code,
    over_time::trend::{self, Asked, Trend, accepted},
    report::{ReportError, templates::Templates},
    text::{error_chain::error_text, nearest::suggest},
};
use std::{fs, path::Path};

/// Follows a scenario's figures, writes both files and prints what came out.
pub(super) fn trend(args: &TrendArgs) -> Outcome {
    if let Err(cause) = known_metrics(&args.metrics) {
        return Outcome::failed(exit_code::USAGE, error_text(&cause));
    }
    let accepted = match accepted::read(&args.results) {
        Ok(accepted) => accepted,
        Err(mistakes) => return files::refused(&mistakes),
    };
    let (runs, scenarios) = trend::all_metrics(&args.results, &args.scenario);
    if runs.is_empty() {
        return Outcome::failed(exit_code::USAGE, nothing(args, &scenarios));
    }
    let asked = Asked {
        scenario: args.scenario.clone(),
        metrics: args.metrics.clone(),
        since: args.since,
        tolerance: args.tolerance,
    };
    let built = trend::build(runs, &asked, &accepted);
    match written(args, &built) {
        Ok((json, page)) => Outcome {
            stdout: match args.json {
                true => json,
                false => format!("{}trend: {page}\n", trend::text(&built)),
            },
            stderr: String::new(),
            code: built.exit_code(),
        },
        Err(cause) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
    }
}

/// What is said where there is nothing to follow.
fn nothing(args: &TrendArgs, scenarios: &[String]) -> String {
    let (scenario, results) = (&args.scenario, args.results.display());
    if scenarios.contains(scenario) {
        return format!("error: no run of {scenario} in {results} passed or failed\n");
    }
    let known: Vec<&str> = scenarios.iter().map(String::as_str).collect();
    let help = suggest(scenario, &known, "scenarios");
    format!("error: there is no run of a scenario `{scenario}` in {results}; {help}\n")
}

/// Writes the page and the same as JSON; gives the JSON and the page's place.
fn written(args: &TrendArgs, of: &Trend) -> Result<(String, String), ReportError> {
    let templates = Templates::load(args.templates.as_deref())?;
    let folder: &Path = args.output.as_deref().unwrap_or(&args.results);
    fs::create_dir_all(folder).map_err(|source| ArchiveError::write(folder, source))?;
    let json = trend::json(of)?;
    let file = |end: &str| folder.join(format!("trend-{}.{end}", of.scenario));
    archive::write_whole(&file("json"), json.as_bytes())?;
    archive::write_whole(&file("html"), &trend::page(of, &templates)?)?;
    Ok((json, file("html").display().to_string()))
}
