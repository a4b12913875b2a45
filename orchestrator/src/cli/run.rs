//! `mallard run`: load, check everything, then run case by case into the archive.

use super::{
    Outcome,
    against::{self, Against, Comparisons},
    args::RunArgs,
    ended::{Ended, Named},
    make_ready::make_ready,
    order::Order,
    pairs::{self, Tally},
    progress::{self, Progress},
    properties::refused_properties,
    rerun,
    run_id::{calibrations, run_id},
};
use crate::{
    archive::{self, RunFolder},
    calibrate::{self},
    clean::{local, runs::Runs},
    clock,
    config::{render::render, shape::Reader},
    hosts::{Hosts, container::RunContainers, deploy::Programs},
    model::{
        events::RunEvent,
        exit_code,
        kind::Kind,
        result::{ComparisonMade, RunResult, Verdict},
    },
    over_time::{
        compare::{self, Pairing},
        fingerprint, index,
    },
    plan::{CasePlan, Plan},
    report::templates::Templates,
    run::{
        context::CaseContext,
        driver::{Surroundings, resume_case, run_case},
        signals::{self, Stops},
    },
    sinks::{EventSinks, Exports},
    terminal::Style,
    text::error_chain::{chain, error_text},
    verdict::{self, across_cases::CaseOutcome},
};
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// How long the removal of a run's containers may take. A dozen takes two seconds.
const CLEAR_WITHIN: Duration = Duration::from_secs(60);

/// Runs scenarios. Everything that can be wrong with files and programs is found before anything is
/// touched.
pub(super) fn run(args: &RunArgs) -> Outcome {
    if args.detached {
        super::detach::leave_session();
    }
    // Before anything looks for a run of that name: `latest` is another one's.
    if let Some(Err(cause)) = args.id.as_deref().map(archive::check_id) {
        return Outcome::failed(exit_code::USAGE, error_text(&cause));
    }
    let programs = match Programs::find(&args.agent) {
        Ok(programs) => programs,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let (asked, rerun) = match rerun::asked(args) {
        Ok(asked) => asked,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let run_id = run_id(args, &asked);
    let leave_out = rerun.as_ref().map(|rerun| rerun.passed.clone()).unwrap_or_default();
    let planned = super::planning::load_and_plan_without(&asked, &run_id, leave_out);
    let (plan, warnings) = match planned {
        Ok(planned) => planned,
        Err(outcome) => return outcome,
    };
    let to_do = plan.shard.as_ref().is_none_or(|of| !of.shard.own.is_empty());
    if let Some(rerun) = rerun.as_ref().filter(|_| plan.cases.is_empty() && to_do) {
        let text =
            format!("every case passed in {}: there is nothing to run again\n", rerun.parent);
        return Outcome::ok(text);
    }
    match refused_properties(&plan, programs.own()) {
        Ok(refused) if refused.is_empty() => {}
        Ok(refused) => return super::files::refused(&refused),
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    }
    if args.detach {
        return super::detach::detach(args, &run_id, &warnings);
    }
    let order = match Order::new(args, (&asked, rerun), &programs, &plan) {
        Ok(order) => order,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let unset = match against::unset(&plan, &args.results, Reader::warn) {
        Ok(unset) => render(&unset, super::files::colour()),
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let warnings = warnings + &unset + &warning_of_leftovers(&args.results);
    let sinks = match EventSinks::new(Style::choose(args.quiet), &order.exports) {
        Ok(sinks) => sinks,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let folder = RunFolder::create(&args.results, &plan.name, Some(&run_id));
    let mut outcome = begin(folder, plan, order, sinks);
    outcome.stderr.insert_str(0, &warnings);
    outcome
}

/// A line about what dead runs have left on this machine, if they have.
fn warning_of_leftovers(results: &std::path::Path) -> String {
    let dead = local::dead_runs(&Runs::look(results));
    match dead.as_slice() {
        [] => String::new(),
        dead => format!(
            "warning: dead runs have left agents' folders on this machine: {}; see `mallard clean`\n",
            dead.join(", ")
        ),
    }
}

/// Runs what is left of a plan, in a folder that is new or was opened again.
pub(super) fn begin(
    folder: Result<RunFolder, archive::ArchiveError>,
    plan: Plan,
    order: Order,
    sinks: EventSinks,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match (folder, runtime) {
        (Ok(folder), Ok(runtime)) => runtime.block_on(run_plan(folder, plan, order, sinks)),
        (Err(cause), _) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
        (_, Err(cause)) => Outcome::failed(exit_code::ERROR, error_text(&cause)),
    }
}

async fn run_plan(
    mut folder: RunFolder,
    plan: Plan,
    order: Order,
    mut sinks: EventSinks,
) -> Outcome {
    let stops = match signals::listen() {
        Ok(stops) => stops,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    plan.cases.iter().for_each(|case| folder.hide(&case.secrets));
    let begun_before = folder.is_begun();
    if let Err(cause) = folder.order(&order) {
        return Outcome::failed(exit_code::ERROR, error_text(&cause));
    }
    let cases: Vec<String> = plan.cases.iter().map(|case| case.name.clone()).collect();
    let event = RunEvent::RunStarted {
        run_id: folder.id().to_owned(),
        cases,
        folder: folder.path().display().to_string(),
    };
    let _ = sinks.send(&mut folder, event);
    let programs = match Programs::find(&order.agents) {
        Ok(programs) => Arc::new(programs),
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let run_containers = Arc::new(RunContainers::new(folder.id()));
    let hosts = match Hosts::of(&plan, &programs, &run_containers) {
        Ok(hosts) => hosts,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let needs_engine = plan.cases.iter().any(CasePlan::needs_engine);
    let (name, asks, pairing) = (plan.name.clone(), against::asks(&plan), plan.pairs.clone());
    let mut around = Surroundings {
        run: &mut folder,
        agent_binary: programs.own(),
        hosts: &hosts,
        run_containers: Arc::clone(&run_containers),
        sinks: &mut sinks,
        stops: stops.clone(),
    };
    let mut ended = run_cases(plan, &order, begun_before, &mut around).await;
    hosts.close().await;
    if let Some(cause) = &ended.unfinished {
        return unfinished(folder.id(), cause);
    }
    if needs_engine {
        clear(&run_containers, &mut folder, &mut sinks).await;
    }
    match against::hold(&folder, &order.started_at, &asks) {
        Ok(against) => ended.against = against,
        Err(cause) => ended.reasons.push(Kind::HarnessFailed.reason(chain(&cause))),
    }
    let pairs = pairing.and_then(|of| compare_pairs(&folder, &order, &of, &mut ended));
    report_baselines(&ended.against, &mut folder, &mut sinks);
    let against = std::mem::take(&mut ended.against.comparisons);
    if let Some(rerun) = &order.rerun {
        ended.remember(rerun);
    }
    let mut result = ended.into_result(Named {
        run_id: folder.id(),
        name: &name,
        started_at: &order.started_at,
        ended_at: clock::now_rfc3339(),
        parent: order.rerun.as_ref().map(|rerun| rerun.parent.clone()),
        command_line: &order.command_line,
    });
    fingerprint::add(folder.path(), &mut result);
    let outcome = close(&mut folder, &mut sinks, &mut result, (&order, &against));
    let outcome = with_pairs(outcome, result.verdict, pairs);
    hand_over(outcome, &mut sinks, stops, &order.exports).await
}

/// Compares both sides of pairs: the text for the terminal, and the exit code. The pages are written with the others.
fn compare_pairs(
    folder: &RunFolder,
    order: &Order,
    pairing: &Pairing,
    ended: &mut Ended,
) -> Option<(String, i32)> {
    let compared = pairs::compared(folder.path(), &order.started_at, pairing, &order.plan.pairs);
    let of = match compared {
        Ok(of) => of,
        Err(cause) => {
            ended.reasons.push(Kind::HarnessFailed.reason(chain(&cause)));
            return None;
        }
    };
    let file = format!("{}.html", pairs::FILE);
    let page = folder.path().join(&file);
    let text = format!("\n{}comparison: {}\n", compare::text(&of), page.display());
    let code = of.exit_code();
    ended.against.made.push(ComparisonMade {
        with: pairing.base.clone(),
        file,
        word: of.word.as_str().to_owned(),
        sentence: of.said().to_owned(),
    });
    ended.against.comparisons.0.push((pairs::FILE.to_owned(), of));
    Some((text, code))
}

/// Adds what pairs came to. Whether cases pass is on their pages; asked was whether the sides differ.
fn with_pairs(outcome: Outcome, verdict: Verdict, pairs: Option<(String, i32)>) -> Outcome {
    let Some((text, code)) = pairs else { return outcome };
    let is_whole = !matches!(verdict, Verdict::Error | Verdict::Interrupted);
    let code = match is_whole && outcome.code == exit_code::of(verdict) {
        true => code,
        false => outcome.code,
    };
    Outcome { stdout: outcome.stdout + &text, code, ..outcome }
}

/// Lets whoever follows the run have its last figures, unless somebody asks for an end of that as well.
async fn hand_over(
    mut outcome: Outcome,
    sinks: &mut EventSinks,
    mut stops: watch::Receiver<Stops>,
    exports: &Exports,
) -> Outcome {
    if let Some(text) = exports.stays() {
        // The verdict stands there already: whoever waits is to know for what. It is no part of the output.
        let _ = writeln!(io::stderr(), "{text}; Ctrl-C ends that");
    }
    stops.mark_unchanged();
    let warnings = tokio::select! {
        warnings = sinks.end() => warnings,
        _ = stops.changed() => Vec::new(),
    };
    for warning in warnings {
        outcome.stderr.push_str(&format!("warning: {warning}\n"));
    }
    outcome
}

fn report_baselines(of: &Against, folder: &mut RunFolder, sinks: &mut EventSinks) {
    let Against { results, made, missing, comparisons: _ } = of;
    if !results.is_empty() || !made.is_empty() || !missing.is_empty() {
        let (results, comparisons) = (results.clone(), made.clone());
        let missing = missing.clone();
        let event = RunEvent::ComparedWithBaselines { results, comparisons, missing };
        let _ = sinks.send(folder, event);
    }
}

async fn run_cases(
    plan: Plan,
    order: &Order,
    begun_before: bool,
    around: &mut Surroundings<'_>,
) -> Ended {
    let shard = plan.shard.as_ref().map(|of| of.shard.clone());
    let mut ended = Ended { shard, ..Ended::default() };
    let progress: Vec<_> =
        plan.cases.iter().map(|case| progress::of(around.run.path(), &case.name)).collect();
    if let Some((first, rest)) = plan.cases.split_first() {
        let unusable = make_ready(first, rest, around).await;
        // A load that goes on is not given up for a host that does not answer: it is tried again for as
        // long as its agents' lease.
        let goes_on = progress.iter().any(|case| matches!(case, Progress::Running(_)));
        if !unusable.is_empty() && !goes_on {
            return Ended { reasons: unusable, ..ended };
        }
    }
    let mut outcomes: Vec<CaseOutcome> = plan.cases.iter().map(CaseOutcome::planned).collect();
    let calibrations = calibrations();
    let mut tally = Tally::of(plan.pairs);
    for ((index, case), progress) in plan.cases.into_iter().enumerate().zip(progress) {
        if let Progress::Judged(case) = progress {
            outcomes[index].judged(case.metrics.clone(), &case.agents);
            let _ = tally.take(&case.summary.name, case.summary.verdict, &case.metrics);
            ended.add_judged(*case);
            continue;
        }
        if around.stops.borrow().times > 0 {
            ended.skipped += 1;
            continue;
        }
        let context = CaseContext {
            run_id: around.run.id().to_owned(),
            index,
            keep: order.keep,
            begun_before,
            boot_id: clock::boot_id(),
            loads: calibrate::loads(&case, &calibrations),
        };
        let name = case.name.clone();
        let judged = match progress {
            Progress::Running(checkpoint) => resume_case(case, context, &checkpoint, around).await,
            _ => run_case(case, context, around).await,
        };
        match judged {
            Ok(judgement) => {
                let result = &judgement.result;
                outcomes[index].judged(result.metrics.clone(), &result.agents);
                if let Some(event) = tally.take(&name, result.verdict, &result.metrics) {
                    let _ = around.sinks.send(around.run, event);
                }
                ended.add(&judgement);
            }
            // What was measured until now and later can still be put together.
            Err(cause)
                if matches!(progress::of(around.run.path(), &name), Progress::Running(_)) =>
            {
                ended.unfinished = Some(chain(&cause));
                break;
            }
            Err(cause) => {
                ended.broke(&cause);
                break;
            }
        }
    }
    if let Some(shard) = ended.shard.as_mut().filter(|shard| !shard.across.is_empty()) {
        shard.cores = outcomes.iter().map(|of| (of.name.clone(), of.cores)).collect();
    }
    ended.across = verdict::across_cases::judge(&plan.across, &outcomes);
    if !ended.across.is_empty() {
        let event = RunEvent::AcrossJudged { results: ended.across.clone() };
        let _ = around.sinks.send(around.run, event);
    }
    ended
}

/// A run that could not be archived to its end is not over: what is missing is with its agents.
fn unfinished(run_id: &str, cause: &str) -> Outcome {
    let text = format!(
        "error: the run is not over: {cause}\n  agents have kept what is missing: make room, then \
         `mallard resume {run_id}` collects it and ends the run\n"
    );
    Outcome::failed(exit_code::ERROR, text)
}

/// Removes what the run has in a container engine. The results are safe by now.
async fn clear(run_containers: &RunContainers, folder: &mut RunFolder, sinks: &mut EventSinks) {
    let left = timeout(CLEAR_WITHIN, run_containers.remove()).await.unwrap_or_else(|_| {
        let what = format!("containers of run {}", run_containers.run_id());
        vec![(what, "the engine did not remove them in time".to_owned())]
    });
    for (what, cause) in left {
        let _ = sinks.send(folder, RunEvent::LeftBehind { what, cause });
    }
}

/// Writes the run's result and pages, and says where they are.
fn close(
    folder: &mut RunFolder,
    sinks: &mut EventSinks,
    result: &mut RunResult,
    (order, comparisons): (&Order, &Comparisons),
) -> Outcome {
    let report_path = folder.path().join("report.html").display().to_string();
    let written = folder.finish(result);
    let flaky = result.cases.iter().filter(|case| case.is_flaky());
    let finished = RunEvent::RunFinished {
        verdict: result.verdict,
        report: report_path,
        flaky: flaky.map(|case| case.name.clone()).collect(),
    };
    let told = sinks.send(folder, finished);
    let began = clock::monotonic_us();
    let pages = Templates::load(order.templates.as_deref()).and_then(|templates| {
        comparisons.write(folder.path(), &templates)?;
        index::with_reports(folder.path(), &templates)
    });
    // Pages say nothing of it, so they stay the same when they are made again.
    result.time.report_us = clock::monotonic_us() - began;
    let written = written.and_then(|()| folder.finish(result));
    let mut outcome = Outcome { code: exit_code::of(result.verdict), ..Outcome::default() };
    let failures = [
        written.err().map(|cause| error_text(&cause)),
        told.err().map(|cause| error_text(&cause)),
        pages.err().map(|cause| error_text(&cause)),
    ];
    for failure in failures.into_iter().flatten() {
        outcome.stderr.push_str(&failure);
        outcome.code = exit_code::ERROR;
    }
    outcome
}
