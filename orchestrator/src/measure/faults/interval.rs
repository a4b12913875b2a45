//! An interval, as far as faults are told by it.

use crate::measure::outages::Flow;
use mallard_protocol::histogram::Histogram;

/// A complete interval.
#[derive(Clone, Debug, Default)]
pub(in crate::measure) struct Interval {
    /// Start on the run's clock.
    pub(in crate::measure) start_us: u64,
    /// End on the run's clock.
    pub(in crate::measure) end_us: u64,
    /// Whether it lies in a measured phase.
    pub(in crate::measure) is_measured: bool,
    /// Whether every agent has told its part.
    pub(in crate::measure) is_whole: bool,
    /// Records that became due.
    pub(in crate::measure) scheduled: u64,
    /// Records acknowledged.
    pub(in crate::measure) acked: u64,
    /// Records failed for good.
    pub(in crate::measure) failed: u64,
    /// Requests that clients sent again.
    pub(in crate::measure) retried: u64,
    /// Due to acknowledged.
    pub(in crate::measure) response: Histogram,
    /// Lag at its end, of the consumers that lag most.
    pub(in crate::measure) lag: Option<u64>,
    /// By slot.
    pub(in crate::measure) flows: Vec<Flow>,
    /// Leaders by slot at its end, where they are known.
    pub(in crate::measure) leaders: Vec<(usize, i32)>,
}

/// What an interval belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::measure) struct Decided {
    /// Its start.
    pub(in crate::measure) start_us: u64,
    /// Faults that were there in it, by their place in the plan.
    pub(in crate::measure) faults: Vec<usize>,
    /// Whether it lies outside all faults and the recovery from them.
    pub(in crate::measure) is_outside: bool,
}
