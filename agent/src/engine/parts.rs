//! What threads hand to the reporter when an interval ends: each its part.

use super::{Observed, clock::Interval};
use mallard_protocol::interval::{
    ClientStats, ConsumerSlice, PartitionOffset, ProducedPartition, ProducerSlice, Rebalance,
    ThroughInterval, Transactions,
};
use mallard_protocol::{
    counters::Counters,
    histogram::Histogram,
    ids::PhaseId,
    integrity::{ReceivedIntegrity, SentNumbers},
};

/// A part of an interval, with the index of the instance in its assignment.
#[derive(Debug)]
pub(crate) enum Part {
    /// Of a producer's sending thread.
    Sent(usize, SentPart),
    /// Of a producer's delivery thread.
    Delivered(usize, DeliveredPart),
    /// Of a consumer's polling thread.
    Polled(usize, PolledPart),
    /// Of the thread that processes a consumer's records.
    Processed(usize, ProcessedPart),
    /// What was seen on the brokers at the end of an interval.
    Observed(u64, Observed),
    /// The run has ended at this moment of its clock, if it ever began; all other parts are in.
    End(Option<u64>),
}

/// What a sending thread did in an interval.
#[derive(Debug)]
pub(crate) struct SentPart {
    /// Which.
    pub(crate) interval: Interval,
    /// Records due since the common start.
    pub(crate) scheduled: u64,
    /// Of these, not handed to the client yet.
    pub(crate) not_sent: u64,
    /// Records that the client took since the common start, by its own word.
    pub(crate) handed: u64,
    /// By phase of due; with what the client refused for good as partition -1.
    pub(crate) slices: Vec<ProducerSlice>,
    /// What else it counted.
    pub(crate) counters: Counters,
    /// Transactions that ended.
    pub(crate) transactions: Transactions,
    /// Where records are numbered: by partition, what was sent.
    pub(crate) numbers: Vec<SentNumbers>,
}

/// What a delivery thread saw in an interval.
#[derive(Debug)]
pub(crate) struct DeliveredPart {
    /// Which.
    pub(crate) interval: Interval,
    /// Delivery reports since the common start, by the client's own count.
    pub(crate) reported: u64,
    /// By phase of due.
    pub(crate) slices: Vec<DeliveredSlice>,
    /// What else it counted.
    pub(crate) counters: Counters,
    /// The client's statistics.
    pub(crate) client: Option<ClientStats>,
    /// Where records are numbered: by partition, what failed.
    pub(crate) numbers: Vec<SentNumbers>,
}

/// Delivery reports of records that were due in one phase.
#[derive(Debug)]
pub(crate) struct DeliveredSlice {
    /// The phase.
    pub(crate) phase: PhaseId,
    /// Failures by code.
    pub(crate) failed: Vec<(String, u64)>,
    /// By partition.
    pub(crate) partitions: Vec<ProducedPartition>,
}

/// What a polling thread saw in an interval.
#[derive(Debug)]
pub(crate) struct PolledPart {
    /// Which.
    pub(crate) interval: Interval,
    /// Somebody else's records since the common start.
    pub(crate) foreign: u64,
    /// Records given to be processed since the common start.
    pub(crate) given: u64,
    /// What else it counted.
    pub(crate) counters: Counters,
    /// Rebalances that ended.
    pub(crate) rebalances: Vec<Rebalance>,
    /// Durations of commits.
    pub(crate) commit: Histogram,
    /// Errors by code.
    pub(crate) errors: Vec<(String, u64)>,
    /// What was seen of the inputs of a pipeline of others.
    pub(crate) through: Option<ThroughInterval>,
    /// The client's statistics.
    pub(crate) client: Option<ClientStats>,
    /// Where integrity is checked: which records were received.
    pub(crate) integrity: Option<Box<ReceivedIntegrity>>,
}

/// What was processed in an interval.
#[derive(Debug)]
pub(crate) struct ProcessedPart {
    /// Which.
    pub(crate) interval: Interval,
    /// Records processed or given up since the common start.
    pub(crate) taken: u64,
    /// What else was counted.
    pub(crate) counters: Counters,
    /// By phase of due.
    pub(crate) slices: Vec<ConsumerSlice>,
    /// Where each assigned partition is read from next.
    pub(crate) positions: Vec<PartitionOffset>,
}

impl Part {
    /// The interval that it belongs to.
    pub(crate) fn interval(&self) -> Option<Interval> {
        match self {
            Self::Sent(_, part) => Some(part.interval),
            Self::Delivered(_, part) => Some(part.interval),
            Self::Polled(_, part) => Some(part.interval),
            Self::Processed(_, part) => Some(part.interval),
            Self::Observed(..) | Self::End(_) => None,
        }
    }
}
