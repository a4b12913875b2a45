//! Whom events are told: the journal first, then the person at the terminal.

mod live;
mod narrator;
mod plain;
pub mod words;

use crate::{
    archive::{ArchiveError, RunFolder},
    clock,
    model::events::{RunEvent, TimedEvent},
};
use std::io::{IsTerminal, Write};

pub use narrator::Narrator;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A live view that redraws itself.
    Live,
    /// Lines at a calm pace.
    Plain,
    /// The verdict only.
    Quiet,
    /// Nothing.
    Silent,
}

impl Style {
    /// Live on a terminal, lines elsewhere.
    #[must_use]
    pub fn choose(quiet: bool) -> Self {
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        match (quiet, std::io::stderr().is_terminal() && !is_dumb) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Live,
            (false, false) => Self::Plain,
        }
    }
}

/// Shows nothing: for runs that are part of something else.
#[derive(Debug)]
struct Nobody;

impl Narrator for Nobody {
    fn tell(&mut self, _: &RunEvent, _: &mut dyn Write) -> std::io::Result<()> {
        Ok(())
    }
}

/// All who hear of a run.
#[derive(Debug)]
pub struct Audience {
    narrator: Box<dyn Narrator>,
}

impl Audience {
    /// People, in a style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let narrator: Box<dyn Narrator> = match style {
            Style::Live => Box::new(live::Live::new()),
            Style::Plain => Box::new(plain::Plain::new(false)),
            Style::Quiet => Box::new(plain::Plain::new(true)),
            Style::Silent => Box::new(Nobody),
        };
        Self { narrator }
    }

    /// Tells an event: into the journal, then to people.
    ///
    /// # Errors
    /// If the journal cannot be written. A closed terminal is not an error: the run goes on.
    pub fn tell(&mut self, run: &mut RunFolder, event: RunEvent) -> Result<(), ArchiveError> {
        let timed = TimedEvent { at: clock::now_rfc3339(), event };
        let journaled = run.event(&timed);
        let _ = self.narrator.tell(&timed.event, &mut std::io::stdout().lock());
        journaled
    }
}

/// Shows the events of a run that another process runs, as lines.
#[derive(Debug)]
pub struct Follower(plain::Plain);

impl Follower {
    /// At the beginning of a journal.
    #[must_use]
    pub fn new() -> Self {
        Self(plain::Plain::new(false))
    }

    /// Shows an event. A closed terminal is no error.
    pub fn tell(&mut self, event: &RunEvent) {
        let _ = self.0.tell(event, &mut std::io::stdout().lock());
    }
}

impl Default for Follower {
    fn default() -> Self {
        Self::new()
    }
}
