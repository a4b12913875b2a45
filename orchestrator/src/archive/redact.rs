//! The last line of defence against secrets in the archive. The plan already leaves them out; what
//! comes from elsewhere (an agent's log, a client's error text) passes through here.

use crate::model::{
    events::TimedEvent,
    fault::FaultResult,
    result::{CaseResult, Diagnosis, Reason, RunResult},
};

/// What stands in a secret's place.
const MASK: &str = "***";

/// Secrets shorter than this are left alone: replacing them would shred every text, and hide nothing.
const SHORTEST: usize = 3;

/// Values that must not be written anywhere.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    secrets: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// Takes more secrets. Longer ones are replaced first, so that one which holds another one goes
    /// as a whole.
    pub(super) fn add(&mut self, secrets: &[String]) {
        let new = secrets.iter().filter(|s| s.len() >= SHORTEST).cloned();
        self.secrets.extend(new);
        self.secrets.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        self.secrets.dedup();
    }

    /// Text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }

    /// Bytes without secrets: an agent's log need not be UTF-8.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let found = |secret: &String| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        if self.secrets.iter().any(found) {
            return self.text(&String::from_utf8_lossy(bytes)).into_bytes();
        }
        bytes.to_vec()
    }

    /// An event whose free text holds no secrets.
    pub(super) fn event(&self, mut event: TimedEvent) -> TimedEvent {
        if !self.secrets.is_empty() {
            event.event.free_texts().into_iter().for_each(|text| self.redact(text));
        }
        event
    }

    /// A case's result whose free text holds no secrets.
    pub(super) fn case(&self, result: &CaseResult) -> CaseResult {
        let mut result = result.clone();
        if self.secrets.is_empty() {
            return result;
        }
        self.reasons(&mut result.reasons);
        self.reasons(&mut result.warnings);
        self.diagnoses(&mut result.interpretation.diagnoses);
        result.parameters.values_mut().for_each(|text| self.redact(text));
        result.brokers.values_mut().for_each(|text| self.redact(text));
        let faults = result.faults.iter_mut().flat_map(FaultResult::free_texts);
        faults.for_each(|text| self.redact(text));
        let properties =
            result.client_properties.values_mut().chain(result.clients_in_effect.values_mut());
        properties.flat_map(|of| of.values_mut()).for_each(|text| self.redact(text));
        result
    }

    /// A run's result whose free text holds no secrets.
    pub(super) fn run(&self, result: &RunResult) -> RunResult {
        let mut result = result.clone();
        if self.secrets.is_empty() {
            return result;
        }
        self.redact(&mut result.sentence);
        self.reasons(&mut result.reasons);
        self.reasons(&mut result.warnings);
        let sentences = result.cases.iter_mut().map(|case| &mut case.sentence);
        let compared = result.compared.iter_mut().map(|of| &mut of.sentence);
        let comparisons = result.comparisons.iter_mut().map(|of| &mut of.sentence);
        sentences.chain(compared).chain(comparisons).for_each(|text| self.redact(text));
        result.command_line.iter_mut().for_each(|text| self.redact(text));
        result
    }

    fn reasons(&self, reasons: &mut [Reason]) {
        for reason in reasons {
            self.redact(&mut reason.text);
            self.redact(&mut reason.remedy);
        }
    }

    fn diagnoses(&self, diagnoses: &mut [Diagnosis]) {
        for diagnosis in diagnoses {
            self.redact(&mut diagnosis.text);
            self.redact(&mut diagnosis.remedy);
        }
    }

    fn redact(&self, text: &mut String) {
        *text = self.text(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::events::RunEvent;

    #[test]
    fn secrets_are_masked_wherever_text_is_free() {
        let mut redactor = Redactor::default();
        redactor.add(&["hunter2".into(), "hunter2-long".into(), "ab".into()]);
        assert_eq!(redactor.text("login hunter2-long, hunter2, ab"), "login ***, ***, ab");
        assert_eq!(redactor.bytes(b"\xff hunter2"), "\u{fffd} ***".as_bytes());
        assert_eq!(redactor.bytes(b"\xff plain"), b"\xff plain");
    }

    #[test]
    fn an_event_has_no_secret_in_any_text_that_quotes_somebody() {
        let mut redactor = Redactor::default();
        redactor.add(&["hunter2".into()]);
        let quote = || "login with hunter2".to_owned();
        let events = [
            RunEvent::HostProblem {
                host: "a".into(),
                phase: "connect".into(),
                cause: quote(),
                remedy: quote(),
            },
            RunEvent::BrokerUnreachable { broker: 1, cause: quote(), at_us: 0 },
            RunEvent::LeftBehind { what: quote(), cause: quote() },
            RunEvent::Step { case: "a".into(), text: quote() },
        ];
        for event in events {
            let timed = TimedEvent { at: "2026-01-01T12:00:00Z".into(), event };
            let text = serde_json::to_string(&redactor.event(timed)).unwrap();
            assert!(!text.contains("hunter2") && text.contains("login with ***"), "{text}");
        }
    }
}
