//! The figures of an interval, as whoever follows a run while it goes on gets them: by producer and consumer, with
//! whole histograms, so that they can be added up over any time.

use super::result::{ErrorRow, LagRow, ResourceRow, SeriesRow};
use mallard_protocol::histogram::Histogram;

/// What a producer of the scenario did in an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProducedFigures {
    /// The producer.
    pub producer: String,
    /// Its topic, by its name in the scenario.
    pub topic: String,
    /// Records that became due.
    pub scheduled: u64,
    /// Records handed to clients.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Key and value bytes of these.
    pub acked_bytes: u64,
    /// Records failed for good.
    pub failed: u64,
    /// Sent to acknowledged, in microseconds, of the records acknowledged in the interval.
    pub service: Histogram,
    /// Due to acknowledged, likewise.
    pub response: Histogram,
    /// Due to sent, in microseconds, of the records sent in the interval.
    pub slip: Histogram,
}

/// What a consumer of the scenario, or consumers that share a group, did in an interval with one topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumedFigures {
    /// The consumer; several of one group are joined by `+`.
    pub consumer: String,
    /// The topic, by its name in the scenario.
    pub topic: String,
    /// Records received.
    pub received: u64,
    /// Key and value bytes of these.
    pub received_bytes: u64,
    /// Due to received, in microseconds, of the records received in the interval.
    pub end_to_end: Histogram,
}

/// An interval of a case, merged over its agents.
#[derive(Clone, Copy, Debug)]
pub struct IntervalFigures<'a> {
    /// The case.
    pub case: &'a str,
    /// What the journal has of it.
    pub row: &'a SeriesRow,
    /// By producer.
    pub produced: &'a [ProducedFigures],
    /// By consumer and topic.
    pub consumed: &'a [ConsumedFigures],
    /// One a side and code.
    pub errors: &'a [ErrorRow],
    /// One a consumer and one an observed group.
    pub lag: &'a [LagRow],
    /// One an agent.
    pub resources: &'a [ResourceRow],
}
