//! Outages, as results and pages have them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stretch of the load in which brokers could not be reached, or in which partitions acknowledged
/// nothing although records for them were waiting. Times are microseconds on the run's clock, in whole
/// intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// When the first of it began.
    pub from_us: u64,
    /// When the last of it ended; the end of the load if it did not.
    pub to_us: u64,
    /// Partitions that went without acknowledgements, those that did for longest first.
    pub silences: Vec<Silence>,
    /// Brokers that could not be reached.
    pub brokers: Vec<BrokerAbsence>,
    /// Leaders that moved.
    pub leaders: Vec<LeaderMove>,
    /// Most partitions that lacked a replica in sync.
    pub under_replicated: u64,
    /// Longest time that a record waited for its acknowledgement, of those that got one, in microseconds.
    pub longest_wait_us: u64,
    /// Records acknowledged more than a second after they were due, until it was over.
    pub late: u64,
    /// Records that clients sent again, no less.
    pub retried: u64,
    /// Records that failed for good.
    pub failed: u64,
    /// From `from_us` until records were acknowledged within a second again, in microseconds; null if that
    /// did not come.
    pub recovered_after_us: Option<u64>,
}

/// Partitions that went without acknowledgements together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// End of the last interval with an acknowledgement.
    pub from_us: u64,
    /// Start of the next one with any; the end of the load if none came.
    pub to_us: u64,
    /// Whether acknowledgements came again.
    pub ended: bool,
    /// The partitions: `orders/0`.
    pub partitions: Vec<String>,
}

/// A broker that could not be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerAbsence {
    /// Its id.
    pub broker: i32,
    /// When that was noticed.
    pub from_us: u64,
    /// When it answered again; null if it did not.
    pub to_us: Option<u64>,
    /// Why: `connection refused`.
    pub cause: String,
}

/// Partitions whose leader moved between the same two brokers in one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaderMove {
    /// When that was noticed.
    pub at_us: u64,
    /// The broker that led them; -1 for none.
    pub from: i32,
    /// The broker that leads them now; -1 for none.
    pub to: i32,
    /// The partitions: `orders/0`.
    pub partitions: Vec<String>,
}
