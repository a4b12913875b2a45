//! Queues of events, and the delivery reports, statistics and errors that they bring.

use super::{Code, rd, received::Received, text};
use std::{
    ffi::{CStr, c_int},
    ptr::{self, NonNull},
};

/// Delivery reports that are taken out of an event at once.
const REPORTS_AT_ONCE: usize = 256;

/// What became of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// Why it failed, or [`Code::OK`].
    pub(crate) code: Code,
    /// Where it is; -1 if it failed before a partition was chosen.
    pub(crate) partition: i32,
    /// Its offset in the log; negative where the broker told none.
    pub(crate) offset: i64,
    /// Its key and value bytes.
    pub(crate) bytes: u64,
    /// What was handed in with it.
    pub(crate) opaque: u64,
}

/// Something that happened to a client, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// What.
    pub(crate) code: Code,
    /// Whether the client can do nothing more.
    pub(crate) fatal: bool,
    /// librdkafka's explanation.
    pub(crate) text: String,
}

/// An event.
pub(crate) struct Event(pub(super) NonNull<rd::rd_kafka_event_t>);

impl Event {
    /// How many delivery reports it brings.
    pub(crate) fn report_count(&self) -> u64 {
        match self.kind() {
            // SAFETY: the event is valid.
            rd::RD_KAFKA_EVENT_DR => unsafe {
                rd::rd_kafka_event_message_count(self.0.as_ptr()) as u64
            },
            _ => 0,
        }
    }

    /// Hands over every delivery report once, with its record. Takes them out: a second call finds none.
    #[inline]
    pub(crate) fn for_each_report(&mut self, mut take: impl FnMut(Report, Received<'_>)) {
        let mut messages = [ptr::null(); REPORTS_AT_ONCE];
        loop {
            // SAFETY: the event is valid, and the array's true size is given.
            let count = unsafe {
                rd::rd_kafka_event_message_array(
                    self.0.as_ptr(),
                    messages.as_mut_ptr(),
                    messages.len(),
                )
            };
            for message in &messages[..count] {
                // SAFETY: librdkafka filled this entry; messages live as long as their event.
                let message = unsafe { &**message };
                let report = Report {
                    code: Code(message.err),
                    partition: message.partition,
                    offset: message.offset,
                    bytes: (message.len + message.key_len) as u64,
                    opaque: message._private.addr() as u64,
                };
                take(report, Received(message));
            }
            if count < messages.len() {
                return;
            }
        }
    }

    /// The client's statistics as JSON, if that is what the event brings.
    pub(crate) fn statistics(&self) -> Option<&str> {
        if self.kind() != rd::RD_KAFKA_EVENT_STATS {
            // The call below reads a union without looking at what it holds.
            return None;
        }
        // SAFETY: the event is valid and of this kind.
        let json = unsafe { rd::rd_kafka_event_stats(self.0.as_ptr()) };
        // SAFETY: not null, ends with a zero byte, lives as long as the event.
        (!json.is_null()).then(|| unsafe { CStr::from_ptr(json) }).and_then(|s| s.to_str().ok())
    }

    /// The error or the log line of at least a warning that the event brings, if it does.
    pub(crate) fn incident(&self) -> Option<Incident> {
        match self.kind() {
            // SAFETY: the event is valid and of this kind.
            rd::RD_KAFKA_EVENT_ERROR => unsafe {
                Some(Incident {
                    code: Code(rd::rd_kafka_event_error(self.0.as_ptr())),
                    fatal: rd::rd_kafka_event_error_is_fatal(self.0.as_ptr()) != 0,
                    text: text(rd::rd_kafka_event_error_string(self.0.as_ptr())),
                })
            },
            rd::RD_KAFKA_EVENT_LOG => self.log_line(),
            _ => None,
        }
    }

    fn kind(&self) -> rd::rd_kafka_event_type_t {
        // SAFETY: the event is valid.
        unsafe { rd::rd_kafka_event_type(self.0.as_ptr()) }
    }

    fn log_line(&self) -> Option<Incident> {
        let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0 as c_int);
        // SAFETY: the event is valid, and the three places are ours.
        let outcome = unsafe {
            rd::rd_kafka_event_log(
                self.0.as_ptr(),
                &raw mut facility,
                &raw mut line,
                &raw mut level,
            )
        };
        (outcome == 0 && level <= super::event::WARNING).then(|| Incident {
            code: Code::OK,
            fatal: false,
            text: format!("{}: {}", text(facility), text(line)),
        })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// Syslog's number for a warning; less is worse.
pub(crate) const WARNING: c_int = 4;
