//! What clients say goes wrong, so that a reader is told once and not a thousand times.

use crate::librdkafka::{Code, Incident};
use mallard_protocol::{
    ids::InstanceId,
    message::{AgentFailure, FailureKind, FromAgent, Level},
};
use std::{
    collections::HashMap,
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

/// The same thing is said again after this long, with how often it happened since.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Different things that are remembered at most; beyond that, nothing is said about new ones.
const REMEMBERED: usize = 64;

/// Tells the controller what one instance's client says.
pub(crate) struct Notes {
    sink: Sender<FromAgent>,
    instance: InstanceId,
    name: String,
    said: HashMap<String, Said>,
    failed: bool,
}

struct Said {
    at: Instant,
    since: u64,
}

impl Notes {
    /// Notes of an instance.
    pub(crate) fn new(sink: Sender<FromAgent>, instance: InstanceId, name: &str) -> Self {
        Self { sink, instance, name: name.to_owned(), said: HashMap::new(), failed: false }
    }

    /// Tells of an incident, unless the same was told a moment ago. A fatal one fails the case.
    pub(crate) fn tell(&mut self, incident: &Incident) {
        if incident.fatal {
            return self.fail(&incident.text);
        }
        let level = if incident.code.is_ok() { Level::Warning } else { Level::Error };
        let key = if incident.code.is_ok() {
            // A log line: its facility tells what it is about.
            incident.text.split(':').next().unwrap_or_default().to_owned()
        } else {
            incident.code.name()
        };
        let text = match incident.code {
            Code::OK => incident.text.clone(),
            code => format!("{} ({})", incident.text, code.name()),
        };
        self.note(level, key, &text, Instant::now());
    }

    /// Fails the case, once.
    pub(crate) fn fail(&mut self, text: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            let text = format!("{}: {text}", self.name);
            let failure = AgentFailure { kind: FailureKind::Other, text };
            // Nobody listens any more only when the agent ends.
            let _ = self.sink.send(FromAgent::Failed(failure));
        }
    }

    /// Tells that the part of a lost instance was taken over later than it was to be.
    pub(crate) fn took_over_late(&mut self, told_us: u64, from_us: u64) {
        let seconds = |us: u64| std::time::Duration::from_micros(us).as_secs_f64();
        let text = format!(
            "it sends what a lost instance had to send from {:.3} s on, and was to do so from {:.3} s on: \
             records due in between are sent by nobody",
            seconds(from_us),
            seconds(told_us)
        );
        self.note(Level::Warning, format!("took over {told_us}"), &text, Instant::now());
    }

    fn note(&mut self, level: Level, key: String, text: &str, now: Instant) {
        let mut suffix = String::new();
        let is_full = self.said.len() >= REMEMBERED;
        match self.said.get_mut(&key) {
            Some(said) if now.duration_since(said.at) < AGAIN_AFTER => {
                said.since += 1;
                return;
            }
            Some(said) => {
                if said.since > 0 {
                    suffix = format!(" ({} more like this in between)", said.since);
                }
                *said = Said { at: now, since: 0 };
            }
            None if is_full => return,
            None => {
                self.said.insert(key, Said { at: now, since: 0 });
            }
        }
        let text = format!("{}: {text}{suffix}", self.name);
        let _ = self.sink.send(FromAgent::Note { level, instance: Some(self.instance), text });
    }
}

/// The kind of failure that a code stands for.
pub(crate) fn failure_kind(code: Code) -> FailureKind {
    match code {
        Code::TIMED_OUT => FailureKind::TimedOut,
        Code::TRANSPORT | Code::ALL_BROKERS_DOWN => FailureKind::Unreachable,
        Code::AUTHENTICATION | Code::TOPIC_DENIED | Code::GROUP_DENIED => FailureKind::Denied,
        _ => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_same_is_said_once_and_then_with_its_count() {
        let (sink, said) = mpsc::channel();
        let mut notes = Notes::new(sink, InstanceId(4), "gateway-1");
        let start = Instant::now();
        for second in 0..12 {
            let now = start + Duration::from_secs(second);
            notes.note(Level::Error, "_TRANSPORT".into(), "broker is gone", now);
        }
        let texts: Vec<_> = said
            .try_iter()
            .map(|message| match message {
                FromAgent::Note { text, .. } => text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            texts,
            [
                "gateway-1: broker is gone",
                "gateway-1: broker is gone (9 more like this in between)"
            ]
        );
    }

    #[test]
    fn a_fatal_error_fails_the_case_once() {
        let (sink, said) = mpsc::channel();
        let mut notes = Notes::new(sink, InstanceId(4), "gateway-1");
        let incident = Incident { code: Code::OK, fatal: true, text: "fenced".into() };
        notes.tell(&incident);
        notes.tell(&incident);
        assert_eq!(said.try_iter().count(), 1);
    }
}
