//! `mallard run`: load, check everything, then run case by case into the archive.

use super::{Outcome, args::RunArgs, properties::refused_properties};
use crate::{
    agent_binary, archive,
    archive::{
        RunFolder,
        model::{CaseSummary, Reason, RunResult, SCHEMA_VERSION, Verdict},
    },
    clock,
    events::RunEvent,
    exit_code,
    plan::Plan,
    report::{self, templates::Templates},
    run::{
        case::CaseContext,
        driver::{Surroundings, run_case},
        signals,
    },
    terminal::{Audience, Style},
    verdict::{self, Judgement},
};
use jiff::Timestamp;
use std::path::Path;

/// Runs scenarios. Everything that can be wrong with files and programs is found before anything is
/// touched.
pub(super) fn run(args: &RunArgs) -> Outcome {
    let agent = match agent_binary::find(args.agent.as_deref()) {
        Ok(agent) => agent,
        Err(cause) => return Outcome::failed(exit_code::USAGE, error_text(&cause)),
    };
    let run_id = run_id(args);
    let planned = super::files::load_and_plan(&args.plan, &run_id);
    let (plan, warnings) = match planned {
        Ok(planned) => planned,
        Err(outcome) => return outcome,
    };
    match refused_properties(&plan, &agent) {
        Ok(refused) if refused.is_empty() => {}
        Ok(refused) => return super::files::refused(&refused),
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let mut outcome = runtime.block_on(run_plan(plan, args, &run_id, &agent));
    outcome.stderr.insert_str(0, &warnings);
    outcome
}

/// The run's id: as asked for, else by time and the first scenario's file.
fn run_id(args: &RunArgs) -> String {
    let stem = args.plan.scenarios.first().and_then(|path| path.file_stem());
    let name = stem.map_or("run".into(), |stem| stem.to_string_lossy());
    args.id.clone().unwrap_or_else(|| archive::new_id(&name, Timestamp::now()))
}

async fn run_plan(plan: Plan, args: &RunArgs, run_id: &str, agent: &Path) -> Outcome {
    let mut folder = match RunFolder::create(&args.results, &plan.name, Some(run_id)) {
        Ok(folder) => folder,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let stops = match signals::listen() {
        Ok(stops) => stops,
        Err(cause) => return Outcome::failed(exit_code::ERROR, error_text(&cause)),
    };
    let mut audience = Audience::new(Style::choose(args.quiet));
    let started_at = clock::now_rfc3339();
    let cases: Vec<String> = plan.cases.iter().map(|case| case.name.clone()).collect();
    let event = RunEvent::RunStarted {
        run_id: run_id.to_owned(),
        cases,
        folder: folder.path().display().to_string(),
    };
    let _ = audience.tell(&mut folder, event);
    let mut around =
        Surroundings { run: &mut folder, agent_binary: agent, audience: &mut audience, stops };
    let mut ended = Ended::default();
    let name = plan.name.clone();
    for (index, case) in plan.cases.into_iter().enumerate() {
        if around.stops.borrow().times > 0 {
            ended.skipped += 1;
            continue;
        }
        let context = CaseContext {
            run_id: run_id.to_owned(),
            index,
            keep: args.keep,
            boot_id: clock::boot_id(),
        };
        let began = clock::monotonic_us();
        match run_case(case, context, &mut around).await {
            Ok(judgement) => ended.add(&judgement, clock::monotonic_us() - began),
            Err(cause) => {
                ended.broke(&cause);
                break;
            }
        }
    }
    let result = ended.into_result(run_id, &name, started_at);
    close(&mut folder, &mut audience, &result, args)
}

/// Writes the run's result and pages, and says where they are.
fn close(
    folder: &mut RunFolder,
    audience: &mut Audience,
    result: &RunResult,
    args: &RunArgs,
) -> Outcome {
    let report_path = folder.path().join("report.html").display().to_string();
    let written = folder.finish(result);
    let finished = RunEvent::RunFinished { verdict: result.verdict, report: report_path };
    let told = audience.tell(folder, finished);
    let pages = Templates::load(args.templates.as_deref())
        .and_then(|templates| report::write(folder.path(), &templates));
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

/// Cases that have ended.
#[derive(Debug, Default)]
struct Ended {
    cases: Vec<CaseSummary>,
    versions: std::collections::BTreeMap<String, String>,
    reasons: Vec<Reason>,
    skipped: usize,
}

impl Ended {
    fn add(&mut self, judgement: &Judgement, duration_us: u64) {
        self.versions.extend(judgement.result.versions.clone());
        self.cases.push(verdict::summary(judgement, duration_us));
    }

    fn broke(&mut self, cause: &archive::ArchiveError) {
        self.reasons.push(Reason {
            code: "archive_failed".to_owned(),
            text: chain(cause),
            remedy: "make room or mend the folder, and run again".to_owned(),
        });
    }

    fn into_result(mut self, run_id: &str, name: &str, started_at: String) -> RunResult {
        if self.skipped > 0 {
            let cases = if self.skipped == 1 { "case was" } else { "cases were" };
            self.reasons.push(Reason {
                code: "interrupted".to_owned(),
                text: format!("{} {cases} not started", self.skipped),
                remedy: String::new(),
            });
        }
        let broke = self.reasons.iter().any(|reason| reason.code == "archive_failed");
        let worst = verdict::worst(self.cases.iter().map(|case| case.verdict));
        let verdict = if broke || self.cases.is_empty() { Verdict::Error } else { worst };
        RunResult {
            schema_version: SCHEMA_VERSION,
            run_id: run_id.to_owned(),
            name: name.to_owned(),
            started_at,
            ended_at: clock::now_rfc3339(),
            verdict,
            sentence: self.sentence(verdict),
            reasons: self.reasons,
            cases: self.cases,
            versions: self.versions,
            command_line: std::env::args().collect(),
        }
    }

    /// The run in one sentence: the only case's, or how many of them ended how.
    fn sentence(&self, verdict: Verdict) -> String {
        if let [only] = self.cases.as_slice() {
            return only.sentence.clone();
        }
        let passed = self.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
        let worst =
            self.cases.iter().find(|case| case.verdict == verdict && verdict != Verdict::Pass);
        let detail =
            worst.map_or(String::new(), |case| format!("; {}: {}", case.name, case.sentence));
        format!("{passed} of {} cases passed{detail}", self.cases.len())
    }
}

/// An error with all its sources, as it is printed.
pub(super) fn error_text(cause: &dyn std::error::Error) -> String {
    format!("error: {}\n", chain(cause))
}

pub(crate) fn chain(cause: &dyn std::error::Error) -> String {
    let mut text = cause.to_string();
    let mut source = cause.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
