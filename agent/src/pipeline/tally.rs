//! What a pipeline did, by the phase in which payloads were due.

use super::{outcome::Outcome, outlet::Written};
use mallard_health::validate::Reason;
use mallard_protocol::pipeline::PipelineSlice;

/// One phase's counts.
#[derive(Default)]
pub(super) struct PhaseTally {
    slice: PipelineSlice,
    reasons: [u64; Reason::COUNT],
}

impl PhaseTally {
    pub(super) fn record(&mut self, outcome: &Outcome) {
        let slice = &mut self.slice;
        slice.messages += 1;
        slice.samples += outcome.samples;
        slice.rows += outcome.rows;
        for reason in outcome.rejected.iter().chain(&outcome.dropped) {
            self.reasons[reason.index()] += 1;
        }
        slice.payload_ns.record(outcome.payload_ns);
        let stages = [
            (&mut slice.decode_ns, outcome.decode_ns),
            (&mut slice.validate_ns, outcome.validate_ns),
            (&mut slice.flatten_ns, outcome.flatten_ns),
            (&mut slice.write_ns, outcome.write_ns),
        ];
        for (histogram, time) in stages {
            if let Some(time) = time {
                histogram.record(time);
            }
        }
    }

    /// Adds what was delivered of this phase's payloads.
    pub(super) fn deliver(&mut self, written: Written) {
        self.slice.rows_written += written.rows;
        self.slice.dead_letters += written.dead_letters;
    }

    /// What was counted since the last time; `None` if nothing was.
    pub(super) fn close(&mut self) -> Option<PipelineSlice> {
        if self.slice.messages + self.slice.rows_written + self.slice.dead_letters == 0 {
            return None;
        }
        let Self { mut slice, reasons } = std::mem::take(self);
        for reason in Reason::all() {
            let count = reasons[reason.index()];
            let list = if reason.is_of_sample() { &mut slice.dropped } else { &mut slice.rejected };
            if count > 0 {
                list.push((reason.name().to_owned(), count));
            }
        }
        Some(slice)
    }
}
