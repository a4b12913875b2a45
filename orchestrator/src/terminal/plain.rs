//! Plain lines: steps, phases, a line of figures every few seconds, and the verdict.

use super::{
    view::View,
    words::{self, Paint},
};
use crate::{
    model::{
        events::{Level, RunEvent},
        kind::Kind,
        result::{ComparedResult, ComparisonMade, SeriesRow, Verdict},
    },
    text::figures,
};
use std::io::Write;

/// Between two lines of figures, on the run's clock: calm enough for a log file.
const PACE_US: u64 = 5_000_000;

/// Beyond the first hour of a run, one line in this time is enough.
const SLOW_PACE_US: u64 = 60_000_000;

/// Writes lines.
#[derive(Debug)]
pub(super) struct Plain {
    quiet: bool,
    paint: Paint,
    next_figures_us: u64,
}

impl Plain {
    /// Says everything, or only how each case ended.
    #[must_use]
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, paint: Paint::for_stdout(), next_figures_us: 0 }
    }

    fn figures(&mut self, row: &SeriesRow, out: &mut dyn Write) -> std::io::Result<()> {
        if row.end_us < self.next_figures_us {
            return Ok(());
        }
        let pace = if row.end_us > 3_600_000_000 { SLOW_PACE_US } else { PACE_US };
        self.next_figures_us = row.end_us + pace;
        writeln!(out, "  {:>9}  {}", figures::duration(row.end_us), words::figures(row))
    }
}

impl View for Plain {
    fn show(&mut self, event: &RunEvent, out: &mut dyn Write) -> std::io::Result<()> {
        if !self.quiet {
            self.print_progress(event, out)?;
        }
        print_outcome(event, self.paint, out)
    }
}

impl Plain {
    fn print_progress(&mut self, event: &RunEvent, out: &mut dyn Write) -> std::io::Result<()> {
        match event {
            RunEvent::CaseStarted { case, planned_us, .. } => {
                self.next_figures_us = 0;
                let planned = figures::duration(*planned_us);
                writeln!(out, "{} (at most {planned})", self.paint.bold(case))
            }
            RunEvent::CaseResumed { at_us, .. } => {
                writeln!(out, "  taken over {} into the load", figures::duration(*at_us))
            }
            RunEvent::HostReady { host, copied_bytes, took_us, ready, of } if *copied_bytes > 0 => {
                let (bytes, took) =
                    (figures::bytes_text(*copied_bytes), figures::latency(*took_us));
                writeln!(
                    out,
                    "{host}: agent copied, {bytes} in {took} ({ready} of {of} hosts ready)"
                )
            }
            RunEvent::HostReady { ready, of, .. } if ready == of && *of > 1 => {
                writeln!(out, "{of} hosts ready")
            }
            RunEvent::Step { text, .. } => writeln!(out, "  {text}"),
            RunEvent::LoadStarted { .. } => writeln!(out, "  load starts"),
            RunEvent::Interval(row) => self.figures(row, out),
            RunEvent::AgentChannel { agent, up } => {
                writeln!(out, "  channel to {agent} is {}", if *up { "back" } else { "broken" })
            }
            _ => Ok(()),
        }
    }
}

/// What every style prints: errors, and how it ended.
pub(super) fn print_outcome(
    event: &RunEvent,
    paint: Paint,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    match event {
        RunEvent::HostProblem { host, phase, cause, remedy } => {
            writeln!(out, "{}: {phase}: {cause}", paint.bold(host))?;
            writeln!(out, "    {}", paint.dim(remedy))
        }
        RunEvent::AgentLost { agent, cause, .. } => {
            writeln!(out, "  agent {agent} is lost: {cause}")
        }
        RunEvent::Note { level, source, text } if *level > Level::Info => {
            writeln!(out, "  {} from {source}: {text}", level.as_str())
        }
        RunEvent::Fault { fault, step, text, at_us } if step != "armed" => {
            let (at, step) = (figures::duration(*at_us), step.replace('_', " "));
            writeln!(out, "  fault {fault} {step} {at} into the load: {text}")
        }
        RunEvent::BrokerUnreachable { broker, cause, at_us } => {
            let at = figures::duration(*at_us);
            writeln!(out, "  broker {broker} cannot be reached {at} into the load: {cause}")
        }
        RunEvent::BrokerBack { broker, after_us, .. } => {
            writeln!(out, "  broker {broker} answers again after {}", figures::duration(*after_us))
        }
        RunEvent::StopRequested { by } => {
            writeln!(
                out,
                "  {by}: the load stops; the report is still written (again: agents are killed)"
            )
        }
        RunEvent::LeftBehind { what, cause } => writeln!(out, "  left behind: {what} ({cause})"),
        RunEvent::CaseFinished { case, verdict, sentence, reasons, expectations, diagnoses } => {
            let width = expectations.iter().map(|e| e.text.chars().count()).max().unwrap_or(0);
            // Where nothing was measured, that no expectation has a sample follows from the reason.
            let broke =
                *verdict == Verdict::Error && expectations.iter().all(|e| e.value.is_none());
            for expectation in expectations.iter().filter(|_| !broke) {
                writeln!(out, "  {}", words::expectation(expectation, paint, width))?;
            }
            for reason in reasons.iter().filter(|reason| !Kind::ExpectationFailed.is(reason)) {
                writeln!(out, "  {}: {}", reason.code.replace('_', " "), reason.text)?;
                if !reason.remedy.is_empty() {
                    writeln!(out, "    {}", paint.dim(&reason.remedy))?;
                }
            }
            for diagnosis in diagnoses {
                writeln!(out, "  diagnosis: {}", diagnosis.text)?;
                writeln!(out, "    {}", paint.dim(&diagnosis.remedy))?;
            }
            // The sentence begins with the verdict's word, which is painted here.
            let rest = sentence.strip_prefix(verdict.as_str()).unwrap_or(sentence);
            writeln!(out, "{} {}{rest}", paint.bold(case), paint.verdict(*verdict))
        }
        RunEvent::PairFinished { pair, of, text } => {
            writeln!(out, "{} {text}", paint.bold(&format!("pair {pair} of {of},")))
        }
        RunEvent::AcrossJudged { results } => {
            for across in results {
                writeln!(out, "{}", words::across(across, paint))?;
            }
            Ok(())
        }
        RunEvent::ComparedWithBaselines { results, comparisons, missing } => {
            print_baselines((results, comparisons, missing), paint, out)
        }
        RunEvent::RunFinished { report, flaky, .. } => {
            if !flaky.is_empty() {
                writeln!(out, "flaky, passed after it had failed: {}", flaky.join(", "))?;
            }
            writeln!(out, "report: {report}")
        }
        _ => Ok(()),
    }
}

/// Expectations against baselines, and comparisons with them.
fn print_baselines(
    (results, comparisons, missing): (&[ComparedResult], &[ComparisonMade], &[String]),
    paint: Paint,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for name in missing {
        writeln!(out, "warning: the baseline {name} is not set")?;
    }
    for of in results {
        writeln!(out, "{}", words::compared(of, paint))?;
    }
    for of in comparisons {
        writeln!(out, "compared with {}: {}: {}", of.with, of.word, of.sentence)?;
    }
    Ok(())
}
