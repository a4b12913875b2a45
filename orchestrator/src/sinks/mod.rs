//! Where a run's events go while it goes on: into the journal first, then to any number of sinks.
//!
//! A further sink is a file with an [`EventSink`] and a line in [`EventSinks::new`].
//!
//! Invariant: the journal has an event before any sink hears of it, and it alone can fail the run. What a
//! journal that cannot be written misses is still told.

mod board;
mod distribution;
mod family;
mod otlp;
mod prometheus;
mod protobuf;

use crate::{
    archive::{ArchiveError, RunFolder},
    clock,
    http::Target,
    model::{
        events::{Level, RunEvent, TimedEvent},
        figures::IntervalFigures,
        sink::EventSink,
    },
    terminal::{Style, TerminalSink},
    text::figures::humanly,
};
use otlp::OtlpPush;
use prometheus::MetricsEndpoint;
use serde::{Deserialize, Serialize};
use std::{io, net::SocketAddr, time::Duration};

/// Who outside of this machine's terminal follows a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exports {
    /// Where Prometheus may fetch figures.
    pub metrics: Option<SocketAddr>,
    /// For how long it may do so after the end.
    pub linger: Duration,
    /// Where figures are pushed to.
    pub otlp: Option<Target>,
}

impl Exports {
    /// What whoever waits for the end of the program is to know.
    #[must_use]
    pub fn stays(&self) -> Option<String> {
        let at = self.metrics.filter(|_| !self.linger.is_zero())?;
        let most = humanly(self.linger);
        Some(format!(
            "figures stay at http://{at}/metrics until they are fetched once more, for {most} at most"
        ))
    }
}

/// Why figures of a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The address cannot be listened on.
    #[error("give out metrics at {0}")]
    Metrics(SocketAddr, #[source] io::Error),
    /// Nothing can be pushed.
    #[error("push to {0}")]
    Otlp(Target, #[source] io::Error),
}

/// All sinks of a run.
#[derive(Debug)]
pub struct EventSinks(Vec<Box<dyn EventSink>>);

impl EventSinks {
    /// The sinks of a run that is shown in a style, and exported.
    ///
    /// # Errors
    ///
    /// When something cannot be exported.
    pub fn new(style: Style, exports: &Exports) -> Result<Self, ExportError> {
        let Exports { metrics, linger, otlp } = exports;
        let metrics = metrics.map(|at| {
            MetricsEndpoint::open(at, *linger).map_err(|cause| ExportError::Metrics(at, cause))
        });
        let otlp = otlp
            .clone()
            .map(|to| OtlpPush::open(to.clone()).map_err(|cause| ExportError::Otlp(to, cause)));
        let mut sinks = Self::to_terminal(style);
        sinks.0.extend(metrics.transpose()?.map(boxed));
        sinks.0.extend(otlp.transpose()?.map(boxed));
        Ok(sinks)
    }

    /// The sinks of a run that nobody follows but whoever sits at the terminal.
    #[must_use]
    pub fn to_terminal(style: Style) -> Self {
        Self(TerminalSink::new(style).map(boxed).into_iter().collect())
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
        for text in self.warnings() {
            let (level, source) = (Level::Warning, "export".to_owned());
            self.send(run, RunEvent::Note { level, source, text })?;
        }
        journaled
    }

    /// Tells every sink the figures of an interval.
    pub fn figures(&mut self, interval: IntervalFigures<'_>) {
        self.0.iter_mut().for_each(|sink| sink.figures(interval));
    }

    /// Waits for sinks that have something to hand over yet, each within its own bound. Gives back their warnings.
    pub async fn end(&mut self) -> Vec<String> {
        for sink in &mut self.0 {
            sink.end().await;
        }
        self.warnings()
    }

    fn warnings(&mut self) -> Vec<String> {
        self.0.iter_mut().flat_map(|sink| sink.warnings()).collect()
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
        RunEvent::Note { level: Level::Info, source: "test".into(), text: text.into() }
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
        assert!(EventSinks::to_terminal(Style::Silent).0.is_empty());
        assert_eq!(EventSinks::to_terminal(Style::Quiet).0.len(), 1);
    }
}
