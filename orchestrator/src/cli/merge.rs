//! `mallard merge`: one run of runs that had a shard of the cases each.
//!
//! Everything that can be wrong with the shards is found before anything is written, and what is written is not a run
//! before all cases are there.

use super::{
    Outcome,
    args::{MergeArgs, ShardArgs},
    ended::{Ended, Named},
    order::Order,
};
use crate::{
    archive::{self, ArchiveError, RunFolder, journal::Journal, read},
    clock,
    expect::across_cases::{AcrossPlan, Axis, parse},
    model::{
        events::{RunEvent, TimedEvent},
        exit_code,
        kind::Kind,
        result::{AcrossResult, CaseResult, Reason, RunResult},
        shard::{MergedShard, WrittenAcross},
    },
    over_time::{index, merge},
    report::{ReportError, templates::Templates},
    sinks::EventSinks,
    terminal::Style,
    text::error_chain::error_text,
    verdict::across_cases::{self, CaseOutcome},
};
use jiff::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Why runs cannot be merged.
#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Page(#[from] ReportError),
    #[error("merge: {run} is not over; `mallard resume {run}` brings it to its end")]
    NotOver { run: String },
    #[error("merge: these runs do not belong together\n{}", listed(mistakes))]
    Apart { mistakes: Vec<String> },
    #[error("merge: expectation across cases `{text}`: {what}")]
    Across { text: String, what: String },
    #[error("merge: the folder of case {case} of {run} is gone or damaged")]
    NoCase { case: String, run: String },
}

fn listed(mistakes: &[String]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

/// A shard with the folder that it lies in.
struct Part {
    folder: PathBuf,
    result: RunResult,
}

/// Makes one run of several.
pub(super) fn merge(args: &MergeArgs) -> Outcome {
    match merged(args) {
        Ok(outcome) => outcome,
        Err(cause @ (MergeError::Page(_) | MergeError::Archive(ArchiveError::Write { .. }))) => {
            Outcome::failed(exit_code::ERROR, error_text(&cause))
        }
        Err(cause @ MergeError::Archive(ArchiveError::NoSpace { .. })) => {
            Outcome::failed(exit_code::ERROR, error_text(&cause))
        }
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

fn merged(args: &MergeArgs) -> Result<Outcome, MergeError> {
    if let Some(id) = &args.id {
        archive::check_id(id)?;
    }
    let templates = Templates::load(args.templates.as_deref())?;
    let mut parts = parts(args)?;
    parts.sort_by_key(|part| part.result.shard.as_ref().map(|shard| shard.number));
    let results: Vec<RunResult> = parts.iter().map(|part| part.result.clone()).collect();
    let varied = merge::belong_together(&results, &args.across)
        .map_err(|mistakes| MergeError::Apart { mistakes })?;
    let across = across(&parts)?;
    let name = parts.first().map_or("merged", |part| &part.result.name).to_owned();
    let id = args.id.clone().unwrap_or_else(|| archive::new_id(&name, Timestamp::now()));
    let mut folder = gather(&parts, &args.results, &name, &id)?;
    let ended = ended(&parts, across.clone(), &args.results);
    let written = write(&mut folder, &parts, ended, &name, &varied, &templates);
    written.inspect_err(|_| {
        // The shards have everything: a run that is half there would only be in the way.
        let _ = fs::remove_dir_all(folder.path());
    })
}

fn parts(args: &MergeArgs) -> Result<Vec<Part>, MergeError> {
    let mut parts = Vec::new();
    for run in &args.runs {
        let folder = read::find_run(&args.results, run)?;
        let id = || folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let result = read::read_summary(&folder).filter(|_| !read::is_running(&folder));
        let result = result.ok_or_else(|| MergeError::NotOver { run: id() })?;
        parts.push(Part { folder, result });
    }
    Ok(parts)
}

/// Cases of all shards in the plan's order, each with its shard.
fn in_order(parts: &[Part]) -> Vec<(&str, &Part)> {
    let all = parts.first().and_then(|part| part.result.shard.as_ref());
    let mut found = Vec::new();
    for case in all.iter().flat_map(|shard| &shard.cases) {
        let has = |part: &&Part| part.result.cases.iter().any(|own| own.name == *case);
        found.extend(parts.iter().find(has).map(|part| (case.as_str(), part)));
    }
    found
}

/// Judges expectations across the cases of all shards.
fn across(parts: &[Part]) -> Result<Vec<AcrossResult>, MergeError> {
    let Some(shard) = parts.first().and_then(|part| part.result.shard.as_ref()) else {
        return Ok(Vec::new());
    };
    if shard.across.is_empty() {
        return Ok(Vec::new());
    }
    let there = in_order(parts);
    let mut outcomes = Vec::new();
    for case in &shard.cases {
        let part = there.iter().find(|(name, _)| name == case).map(|(_, part)| *part);
        outcomes.push(outcome(case, part)?);
    }
    let plans = shard.across.iter().map(|written| across_plan(written, &shard.cases));
    Ok(across_cases::judge(&plans.collect::<Result<Vec<_>, _>>()?, &outcomes))
}

/// What came of a case; of one that was not started nothing.
fn outcome(name: &str, part: Option<&Part>) -> Result<CaseOutcome, MergeError> {
    let planned = CaseOutcome { name: name.to_owned(), ..CaseOutcome::default() };
    let Some(part) = part else { return Ok(planned) };
    let path = part.folder.join("cases").join(name).join("result.json");
    let text = fs::read(&path).ok();
    let result = text.and_then(|text| serde_json::from_slice::<CaseResult>(&text).ok());
    let Some(result) = result else {
        let run = part.result.run_id.clone();
        return Err(MergeError::NoCase { case: name.to_owned(), run });
    };
    let cores = part.result.shard.as_ref().and_then(|shard| shard.cores.get(name).copied());
    Ok(CaseOutcome {
        parameters: result.parameters,
        metrics: Some(result.metrics),
        cores: cores.unwrap_or_default(),
        ..planned
    })
}

fn across_plan(written: &WrittenAcross, cases: &[String]) -> Result<AcrossPlan, MergeError> {
    let axes = written.values.iter();
    let axes: Vec<Axis> =
        axes.map(|(name, values)| Axis { name: name.clone(), values: values.clone() }).collect();
    // It was read when the shards were planned: only a file that was changed since can be wrong.
    let mut expectation = parse(&written.text, &axes)
        .map_err(|wrong| MergeError::Across { text: written.text.clone(), what: wrong.message })?;
    expectation.source.1 = written.line;
    let place = |name: &String| cases.iter().position(|case| case == name);
    let pairs = written.pairs.iter().filter_map(|(a, b)| Some((place(a)?, place(b)?))).collect();
    Ok(AcrossPlan { scenario: written.scenario.clone(), expectation, pairs })
}

/// Puts the folders of all cases into a new run's.
fn gather(parts: &[Part], results: &Path, name: &str, id: &str) -> Result<RunFolder, MergeError> {
    let staged = results.join(format!(".merging-{id}"));
    let gathered = in_order(parts)
        .into_iter()
        .try_for_each(|(case, part)| {
            archive::link_tree(&part.folder.join("cases").join(case), &staged.join(case))
        })
        .and_then(|()| RunFolder::create(results, name, Some(id)));
    let folder = match gathered {
        Ok(folder) => folder,
        Err(cause) => {
            let _ = fs::remove_dir_all(&staged);
            return Err(cause.into());
        }
    };
    if staged.is_dir() {
        let cases = folder.path().join("cases");
        fs::rename(&staged, &cases)
            .map_err(|source| ArchiveError::Write { path: cases, source })?;
    }
    Ok(folder)
}

/// What has ended, over all shards.
fn ended(parts: &[Part], across: Vec<AcrossResult>, results: &Path) -> Ended {
    let results = fs::canonicalize(results).ok();
    let mut ended = Ended { across, ..Ended::default() };
    for (name, part) in in_order(parts) {
        ended.cases.extend(part.result.cases.iter().find(|case| case.name == name).cloned());
    }
    for Part { folder, result } in parts {
        let number = result.shard.as_ref().map_or(0, |shard| shard.number);
        ended.versions.extend(result.versions.clone());
        ended.time.add(&result.time);
        ended.skipped += merge::not_started(result);
        ended.reasons.extend(own_reasons(result, number));
        ended.against.results.extend(result.compared.clone());
        ended.against.made.extend(result.comparisons.iter().cloned().map(|mut of| {
            of.file = format!("shard-{number}-{}", of.file);
            of
        }));
        ended.merged.push(MergedShard {
            run_id: result.run_id.clone(),
            number,
            cases: result.cases.len(),
            beside: folder.parent() == results.as_deref(),
        });
    }
    ended
}

/// Why a shard ended before its cases did. What follows from cases is judged anew.
fn own_reasons(result: &RunResult, number: u32) -> impl Iterator<Item = Reason> {
    let anew = [Kind::Interrupted, Kind::WorseThanBaseline, Kind::BaselineUnclear];
    let own = result.reasons.iter().filter(move |of| !anew.iter().any(|kind| kind.is(of)));
    own.map(move |of| Reason { text: format!("shard {number}: {}", of.text), ..of.clone() })
}

fn write(
    folder: &mut RunFolder,
    parts: &[Part],
    ended: Ended,
    name: &str,
    varied: &[String],
    templates: &Templates,
) -> Result<Outcome, MergeError> {
    let across: Vec<AcrossResult> = ended.across.clone();
    let times = |of: fn(&RunResult) -> &String| parts.iter().map(move |part| of(&part.result));
    let command_line: Vec<String> = std::env::args().collect();
    let started_at = times(|of| &of.started_at).min().cloned().unwrap_or_default();
    let mut result = ended.into_result(Named {
        run_id: folder.id(),
        name,
        started_at: &started_at,
        ended_at: times(|of| &of.ended_at).max().cloned().unwrap_or_default(),
        parent: None,
        command_line: &command_line,
    });
    result.warnings = warnings(parts, varied);
    order(folder, parts)?;
    comparisons(folder, parts)?;
    journal(folder, parts, &result)?;
    let mut sinks = EventSinks::to_terminal(Style::choose(false));
    if !across.is_empty() {
        sinks.send(folder, RunEvent::AcrossJudged { results: across })?;
    }
    let report = folder.path().join("report.html").display().to_string();
    let flaky = result.cases.iter().filter(|case| case.is_flaky()).map(|case| case.name.clone());
    let flaky = flaky.collect();
    sinks.send(folder, RunEvent::RunFinished { verdict: result.verdict, report, flaky })?;
    folder.finish(&result)?;
    index::with_reports(folder.path(), templates)?;
    let code = exit_code::of(result.verdict);
    Ok(Outcome { code, stdout: format!("{}\n", result.sentence), ..Outcome::default() })
}

/// What is to be known of the shards, and what differs between them.
fn warnings(parts: &[Part], varied: &[String]) -> Vec<Reason> {
    let mut warnings: Vec<Reason> = Vec::new();
    for warning in parts.iter().flat_map(|part| &part.result.warnings) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings.extend(varied.iter().map(|text| Kind::ShardsDiffer.reason(text)));
    warnings
}

/// What all shards were asked for together, so that what did not pass can be run again.
fn order(folder: &RunFolder, parts: &[Part]) -> Result<(), MergeError> {
    let orders = parts.iter().filter_map(|part| read::order::<Order>(&part.folder).ok());
    match orders.into_iter().next() {
        Some(mut order) => {
            order.plan.shard = ShardArgs::default();
            order.rerun = None;
            order.started_at = clock::now_rfc3339();
            Ok(folder.order(&order)?)
        }
        None => Ok(()),
    }
}

/// Pages of comparisons with baselines that shards have made.
fn comparisons(folder: &RunFolder, parts: &[Part]) -> Result<(), MergeError> {
    for Part { folder: from, result } in parts {
        let number = result.shard.as_ref().map_or(0, |shard| shard.number);
        for of in &result.comparisons {
            let pages = [of.file.clone(), of.file.replace(".html", ".json")];
            for file in pages.iter().filter(|file| from.join(file).is_file()) {
                let to = folder.path().join(format!("shard-{number}-{file}"));
                archive::link_file(&from.join(file), &to)?;
            }
        }
    }
    Ok(())
}

/// The journals of all shards, one after the other, as that of one run.
fn journal(folder: &mut RunFolder, parts: &[Part], result: &RunResult) -> Result<(), MergeError> {
    let cases: Vec<String> = result.cases.iter().map(|case| case.name.clone()).collect();
    let shown = folder.path().display().to_string();
    let started = RunEvent::RunStarted {
        run_id: folder.id().to_owned(),
        cases: cases.clone(),
        folder: shown,
    };
    folder.event(&TimedEvent { at: result.started_at.clone(), event: started })?;
    for part in parts {
        // What comes before a shard's first case belongs to that one, and not to the last one of another shard.
        let mut before: Vec<TimedEvent> = Vec::new();
        let mut begun = false;
        let mut journal = Journal::open(&part.folder)?;
        while let Some(mut timed) = journal.next_event()? {
            match &mut timed.event {
                RunEvent::RunStarted { .. } | RunEvent::RunFinished { .. } => continue,
                RunEvent::CaseStarted { case, index, .. } => {
                    *index = cases.iter().position(|of| of == case).unwrap_or(*index);
                    folder.event(&timed)?;
                    before.drain(..).try_for_each(|timed| folder.event(&timed))?;
                    begun = true;
                }
                _ if begun => folder.event(&timed)?,
                _ => before.push(timed),
            }
        }
        before.iter().try_for_each(|timed| folder.event(timed))?;
    }
    Ok(())
}
