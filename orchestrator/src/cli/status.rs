//! `mallard status`: how far runs are, read from their folders and nothing else.

use super::{Outcome, args::StatusArgs};
use crate::{
    archive::{ArchiveError, Holder, holder, journal::Journal, read},
    model::{
        events::{RunEvent, TimedEvent},
        exit_code,
    },
    terminal::{Follower, words},
    text::{error_chain::error_text, figures, untrusted},
};
use jiff::Timestamp;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Between two looks at a journal that is followed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shows how far runs are.
pub(super) fn status(args: &StatusArgs) -> Outcome {
    let shown = runs(args).and_then(|runs| match runs.as_slice() {
        [run] if args.follow => follow(run),
        runs => runs.iter().map(|run| show(run)).collect(),
    });
    match shown {
        Ok(text) => Outcome::ok(text),
        Err(cause) => Outcome::failed(exit_code::USAGE, error_text(&cause)),
    }
}

/// The run that is named; else those that are not over; else the latest.
fn runs(args: &StatusArgs) -> Result<Vec<PathBuf>, ArchiveError> {
    if let Some(run) = &args.run {
        return Ok(vec![read::find_run(&args.results, run)?]);
    }
    let mut open = read::open_runs(&args.results)?;
    if args.follow {
        // The newest: their names begin with the time.
        open = open.pop().into_iter().collect();
    }
    if open.is_empty() {
        open.push(read::find_run(&args.results, "latest")?);
    }
    Ok(open)
}

/// A run, as its journal tells it up to now.
#[derive(Debug, Default)]
struct Progress {
    cases: usize,
    case: Option<(String, usize)>,
    planned_us: u64,
    phases: Vec<(String, u64)>,
    step: String,
    figures: Option<(u64, String)>,
    agents: Vec<(String, &'static str)>,
    ended: Vec<String>,
    report: Option<String>,
    last_at: Option<Timestamp>,
}

impl Progress {
    fn take(&mut self, timed: TimedEvent) {
        self.last_at = timed.at.parse().ok();
        match timed.event {
            RunEvent::RunStarted { cases, .. } => self.cases = cases.len(),
            RunEvent::CaseStarted { case, index, planned_us, phases } => {
                (self.case, self.planned_us, self.phases) =
                    (Some((case, index)), planned_us, phases);
                (self.figures, self.agents, self.step) = (None, Vec::new(), String::new());
            }
            RunEvent::Step { text, .. } => self.step = text,
            RunEvent::LoadStarted { .. } => self.step = "the load starts".to_owned(),
            RunEvent::Interval(row) => {
                self.figures = Some((row.end_us, words::figures(&row)));
            }
            RunEvent::AgentConnected { agent, .. } => self.note_agent(agent, "connected"),
            RunEvent::AgentChannel { agent, up: true } => self.note_agent(agent, "connected"),
            RunEvent::AgentChannel { agent, up: false } => {
                self.note_agent(agent, "on its own: the channel is broken");
            }
            RunEvent::AgentLost { agent, .. } => self.note_agent(agent, "lost"),
            RunEvent::CaseFinished { case, sentence, .. } => {
                self.ended.push(format!("{case} {sentence}"));
                self.case = None;
            }
            RunEvent::RunFinished { report, .. } => self.report = Some(report),
            _ => {}
        }
    }

    fn note_agent(&mut self, agent: String, is: &'static str) {
        match self.agents.iter_mut().find(|(known, _)| *known == agent) {
            Some((_, state)) => *state = is,
            None => self.agents.push((agent, is)),
        }
    }

    /// The phase at a moment of the run's clock.
    fn phase_at(&self, at_us: u64) -> &str {
        let begun = self.phases.iter().rev().find(|(_, start)| *start < at_us);
        begun.map_or("", |(name, _)| name.as_str())
    }
}

fn show(run: &Path) -> Result<String, ArchiveError> {
    let mut progress = Progress::default();
    let mut journal = Journal::open(run)?;
    while let Some(event) = journal.next_event()? {
        progress.take(event);
    }
    // A run's folder may come from anywhere, and so may its name.
    let text = text(run, &progress, holder(run));
    Ok(text.lines().map(|line| untrusted::text(line) + "\n").collect())
}

fn text(run: &Path, progress: &Progress, holder: Option<Holder>) -> String {
    let id = run.file_name().unwrap_or_default().to_string_lossy();
    let over = run.join("run.json").is_file();
    let state = match (&holder, over) {
        (Some(holder), _) => format!("runs ({holder})"),
        (None, true) => "is over".to_owned(),
        (None, false) => format!(
            "has no controller{}; take it over with `mallard resume {id}`",
            progress.last_at.map_or(String::new(), |at| format!(" since {at:.0}"))
        ),
    };
    let mut text = format!("{id} {state}\n");
    for ended in &progress.ended {
        let _ = writeln!(text, "  {ended}");
    }
    if let Some((case, index)) = &progress.case {
        let _ = writeln!(text, "  {case} (case {} of {})", index + 1, progress.cases);
        match &progress.figures {
            Some((at_us, figures)) => {
                let (at, planned) =
                    (figures::duration(*at_us), figures::duration(progress.planned_us));
                let phase = progress.phase_at(*at_us);
                let _ = writeln!(text, "    {at} of at most {planned}, in {phase}");
                let _ = writeln!(text, "    {figures}");
            }
            None => {
                let _ = writeln!(text, "    {}", progress.step);
            }
        }
        for (agent, is) in &progress.agents {
            let _ = writeln!(text, "    {agent} {is}");
        }
    }
    if let (true, Some(report)) = (over, &progress.report) {
        let _ = writeln!(text, "  report: {report}");
    }
    text
}

/// Shows what happens, as it happens, until the run is over or has nobody who runs it.
fn follow(run: &Path) -> Result<String, ArchiveError> {
    let mut follower = Follower::new();
    let mut journal = Journal::open(run)?;
    loop {
        // Looked at first: what a controller wrote before it went is read after that.
        let alive = holder(run).is_some();
        while let Some(timed) = journal.next_event()? {
            follower.show(&timed.event);
        }
        if !alive {
            return Ok(String::new());
        }
        thread::sleep(LOOK_AGAIN);
    }
}
