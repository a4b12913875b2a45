//! A live view: what runs, how far it is, and the figures of the last interval.

use super::{plain::print_outcome, view::View, words::Paint};
use crate::{
    model::{events::RunEvent, result::SeriesRow},
    text::{figures, units},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::Write, time::Duration};

/// Redraws of the spinner while nothing else happens.
const STEADY: Duration = Duration::from_millis(200);

/// Draws on standard error; what stays, the outcome, is written to standard output.
#[derive(Debug)]
pub(super) struct Live {
    bar: ProgressBar,
    paint: Paint,
    agents: usize,
    lost: usize,
    errors: u64,
    planned_us: u64,
    phases: Vec<(String, u64)>,
    cases: usize,
}

impl Live {
    /// A view that shows nothing yet.
    #[must_use]
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(8));
        let template =
            "{spinner:.cyan} {prefix:.bold}  {wide_bar:.cyan/dim}  {elapsed_precise}\n{msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let paint = Paint::for_stdout();
        Self {
            bar,
            paint,
            agents: 0,
            lost: 0,
            errors: 0,
            planned_us: 1,
            phases: Vec::new(),
            cases: 1,
        }
    }

    fn show_figures(&self, row: &SeriesRow) {
        self.bar.set_position(row.end_us / 1_000);
        self.bar.set_message(self.figures(row));
    }

    fn figures(&self, row: &SeriesRow) -> String {
        let seconds = (row.end_us - row.start_us).max(1) as f64 / 1e6;
        let per_second = |count: u64| figures::rate(count as f64 / seconds);
        let latency = |value: Option<u64>| value.map_or("–".to_owned(), figures::latency);
        let target = row.target_per_s.map_or("max".to_owned(), figures::rate);
        let left = figures::duration(self.phase_end(&row.phase).saturating_sub(row.end_us));
        let agents = format!("{} of {}", self.agents - self.lost.min(self.agents), self.agents);
        [
            format!("  phase     {}, {left} left", row.phase),
            format!(
                "  rate      target {target}   acked {}   received {}",
                per_second(row.acked),
                per_second(row.received)
            ),
            format!(
                "  response  p50 {}   p95 {}   p99 {}   max {}      end to end  p50 {}   p95 {}   p99 {}",
                latency(row.response_p50_us),
                latency(row.response_p95_us),
                latency(row.response_p99_us),
                latency(row.response_max_us),
                latency(row.end_to_end_p50_us),
                latency(row.end_to_end_p95_us),
                latency(row.end_to_end_p99_us)
            ),
            format!(
                "  backlog   {} not sent   {} out   lag {}   errors {}   agents {agents}",
                units::count(row.not_sent),
                units::count(row.outstanding),
                row.lag.map_or("–".to_owned(), units::count),
                units::count(self.errors)
            ),
        ]
        .join("\n")
    }

    fn phase_end(&self, phase: &str) -> u64 {
        let at = self.phases.iter().position(|(name, _)| name == phase);
        let next = at.and_then(|at| self.phases.get(at + 1));
        next.map_or(self.planned_us, |(_, start)| *start)
    }

    fn begin_case(&mut self, case: &str, index: usize, planned_us: u64, phases: &[(String, u64)]) {
        (self.planned_us, self.phases) = (planned_us.max(1), phases.to_vec());
        (self.agents, self.lost, self.errors) = (0, 0, 0);
        let of = if self.cases > 1 {
            format!(" ({} of {})", index + 1, self.cases)
        } else {
            String::new()
        };
        self.bar.reset();
        self.bar.set_length(planned_us / 1_000);
        self.bar.set_prefix(format!("{case}{of}"));
        self.bar.enable_steady_tick(STEADY);
    }
}

impl View for Live {
    fn show(&mut self, event: &RunEvent, out: &mut dyn Write) -> std::io::Result<()> {
        match event {
            RunEvent::RunStarted { cases, .. } => self.cases = cases.len(),
            RunEvent::CaseStarted { case, index, planned_us, phases } => {
                self.begin_case(case, *index, *planned_us, phases);
            }
            RunEvent::HostReady { ready, of, .. } => {
                self.bar.set_message(format!("  {ready} of {of} hosts ready"));
            }
            RunEvent::Step { text, .. } => self.bar.set_message(format!("  {text}")),
            RunEvent::AgentConnected { .. } => self.agents += 1,
            RunEvent::AgentLost { .. } => self.lost += 1,
            RunEvent::Interval(row) => {
                self.errors += row.failed;
                self.show_figures(row);
            }
            RunEvent::CaseFinished { .. } => self.bar.finish_and_clear(),
            _ => {}
        }
        let paint = self.paint;
        self.bar.suspend(|| print_outcome(event, paint, out))
    }
}
