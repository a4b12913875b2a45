//! What a person at the terminal sees of a run: a live view, or plain lines.

mod live;
mod plain;
mod view;
pub mod words;

use crate::model::{
    events::{RunEvent, TimedEvent},
    sink::EventSink,
};
use std::io::IsTerminal;
use view::View;

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

/// Shows a run's events on this process's terminal.
#[derive(Debug)]
pub struct TerminalSink(Box<dyn View>);

impl TerminalSink {
    /// A view in a style; `None` where nothing is to be shown.
    #[must_use]
    pub fn new(style: Style) -> Option<Self> {
        let view: Box<dyn View> = match style {
            Style::Live => Box::new(live::Live::new()),
            Style::Plain => Box::new(plain::Plain::new(false)),
            Style::Quiet => Box::new(plain::Plain::new(true)),
            Style::Silent => return None,
        };
        Some(Self(view))
    }
}

impl EventSink for TerminalSink {
    /// A closed terminal is not an error: the run goes on.
    fn take(&mut self, event: &TimedEvent) {
        let _ = self.0.show(&event.event, &mut std::io::stdout().lock());
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
    pub fn show(&mut self, event: &RunEvent) {
        let _ = self.0.show(event, &mut std::io::stdout().lock());
    }
}

impl Default for Follower {
    fn default() -> Self {
        Self::new()
    }
}
