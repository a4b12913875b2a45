//! What the driver is told to do.

use mallard_protocol::{
    ids::{InstanceId, TopicId},
    schedule::Share,
    workload::{Assignment, ClientProperties},
};
use std::time::Duration;

/// What a run has made on the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(super) connection: ClientProperties,
    pub(super) topics: Vec<String>,
    pub(super) groups: Vec<String>,
}

/// What the engine is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Is made.
    Prepare(Box<Assignment>),
    /// Starts at this reading of the clock, in microseconds.
    Start(u64),
    /// Looks at topics and groups from now on.
    Observe(Vec<TopicId>, Vec<String>),
    /// Has producers send what lost ones had to send.
    TakeOver(Vec<(InstanceId, Share)>),
    /// Ends the schedule.
    StopLoad,
    /// Flushes producers, and goes on reading.
    Flush(Duration),
    /// Flushes, closes, and is gone.
    Finish(Duration),
}
