//! Where a run's events go while it goes on: into the journal first, then to any number of sinks.
//!
//! A further sink is a file with an [`EventSink`] and a line in [`EventSinks::new`].
//!
//! Invariant: the journal has an event before any sink hears of it, and it alone can fail the run. What a
//! journal that cannot be written misses is still told.

use crate::{
    archive::{ArchiveError, RunFolder},
    clock,
    model::{
        events::{RunEvent, TimedEvent},
        sink::EventSink,
    },
    terminal::{Style, TerminalSink},
};

/// All sinks of a run.
#[derive(Debug)]
pub struct EventSinks(Vec<Box<dyn EventSink>>);

impl EventSinks {
    /// The sinks of a run that is shown in a style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let terminal = TerminalSink::new(style).map(boxed);
        Self([terminal].into_iter().flatten().collect())
    }

    /// Sends an event: to the journal, then to every sink. None of them sees a secret.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub fn send(&mut self, run: &mut RunFolder, event: RunEvent) -> Result<(), ArchiveError> {
        let timed = run.masked(TimedEvent { at: clock::now_rfc3339(), event });
        let journaled = run.event(&timed);
        for sink in &mut self.0 {
            sink.take(&timed);
        }
        journaled
    }
}

fn boxed(sink: impl EventSink + 'static) -> Box<dyn EventSink> {
    Box::new(sink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, fs, path::PathBuf, rc::Rc};

    /// Events, each with the journal's length when it came.
    type Heard = Rc<RefCell<Vec<(TimedEvent, u64)>>>;

    /// Notes what it hears, and how long the journal was by then.
    #[derive(Debug)]
    struct Notes {
        journal: PathBuf,
        heard: Heard,
    }

    impl EventSink for Notes {
        fn take(&mut self, event: &TimedEvent) {
            let length = fs::metadata(&self.journal).map_or(0, |file| file.len());
            self.heard.borrow_mut().push((event.clone(), length));
        }
    }

    fn note(text: &str) -> RunEvent {
        RunEvent::Note { level: "info".into(), source: "test".into(), text: text.into() }
    }

    #[test]
    fn every_sink_hears_every_event_in_order_after_the_journal_has_it() {
        let results = tempfile::tempdir().unwrap();
        let mut run = RunFolder::create(results.path(), "sinks", Some("sinks")).unwrap();
        let journal = run.path().join("events.jsonl");
        let heard = [Heard::default(), Heard::default()];
        let sink = |heard: &Heard| boxed(Notes { journal: journal.clone(), heard: heard.clone() });
        let mut sinks = EventSinks(heard.iter().map(sink).collect());
        sinks.send(&mut run, note("one")).unwrap();
        sinks.send(&mut run, note("two")).unwrap();
        let text = fs::read_to_string(&journal).unwrap();
        let written: Vec<TimedEvent> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let first_line = text.find('\n').unwrap() + 1;
        for heard in heard {
            let heard = heard.borrow();
            let events: Vec<_> = heard.iter().map(|(event, _)| event.clone()).collect();
            assert_eq!(events, written);
            let lengths: Vec<_> = heard.iter().map(|(_, length)| *length).collect();
            assert_eq!(lengths, [first_line as u64, text.len() as u64]);
        }
    }

    #[test]
    fn no_sink_hears_a_secret() {
        let results = tempfile::tempdir().unwrap();
        let mut run = RunFolder::create(results.path(), "sinks", Some("sinks")).unwrap();
        run.hide(&["hunter2".into()]);
        let heard = Heard::default();
        let journal = run.path().join("events.jsonl");
        let mut sinks = EventSinks(vec![boxed(Notes { journal, heard: heard.clone() })]);
        sinks.send(&mut run, note("login with hunter2")).unwrap();
        assert_eq!(heard.borrow()[0].0.event, note("login with ***"));
    }

    #[test]
    fn a_silent_run_has_the_journal_alone() {
        assert!(EventSinks::new(Style::Silent).0.is_empty());
        assert_eq!(EventSinks::new(Style::Quiet).0.len(), 1);
    }
}
