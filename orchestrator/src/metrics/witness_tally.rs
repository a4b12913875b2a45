//! What agents saw of brokers and network by themselves, added up.

use mallard_protocol::{histogram::Histogram, interval::Witness};

/// One agent's witnesses over a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WitnessTally {
    /// Intervals with a witness.
    pub intervals: u64,
    /// Round trips of small requests beside the load.
    pub round_trip: Histogram,
    /// Time in which at least one broker did not answer, in microseconds.
    pub broker_silent_us: u64,
    /// Time in which none did.
    pub all_silent_us: u64,
    /// Largest of the connections' shortest round trips, in microseconds.
    pub wire_us: u64,
    /// TCP segments sent.
    pub segments: u64,
    /// Of these, sent again.
    pub segments_again: u64,
}

impl WitnessTally {
    /// Adds an interval.
    pub fn record(&mut self, seen: &Witness) {
        self.intervals += 1;
        self.round_trip.add(&seen.round_trip);
        self.broker_silent_us += seen.broker_silent_us;
        self.all_silent_us += seen.all_silent_us;
        self.wire_us = self.wire_us.max(seen.wire_us);
        self.segments += seen.segments;
        self.segments_again += seen.segments_again;
    }
}
