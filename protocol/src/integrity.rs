//! What agents tell of their records' integrity: which were sent, and which came.
//!
//! Every record of a producer instance has a number among those that it sent to the partition ([`crate::stamp::Placed`]).
//! Producers tell how many they numbered and which of them failed; consumers tell which numbers and which offsets they
//! received, as runs. All of it is added up by the controller in any order: a number that came to a group nowhere is
//! missing, a number that came at two offsets is in the log twice, an offset that came twice was redelivered.

use crate::{
    ids::{InstanceId, TopicId},
    runs::Runs,
};
use serde::{Deserialize, Serialize};

/// Runs of numbers, and as many of offsets, that one partition of an interval may have. One that arrives in order has
/// one of each a producer instance; what is scattered more than this is no longer told apart, and counted as such.
pub const RUNS_MAX: usize = 1_024;

/// Pieces of evidence that an instance tells of each kind in one interval.
pub const EVIDENCE_MAX: usize = 20;

/// What a producer instance sent to one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentNumbers {
    /// The partition.
    pub partition: i32,
    /// Records numbered and handed to the client since the common start: the next number.
    pub next: u64,
    /// Numbers of records that failed for good in this interval: the brokers may have written them or not.
    pub failed: Runs,
    /// Failed records whose numbers are not told.
    pub failed_untold: u64,
}

impl SentNumbers {
    /// Notes a record that failed for good.
    pub fn fail(&mut self, number: u64) {
        if self.failed.insert_within(number, RUNS_MAX).is_none() {
            self.failed_untold += 1;
        }
    }

    /// Adds what another thread noted of the same partition.
    pub fn absorb(&mut self, other: &Self) {
        self.next = self.next.max(other.next);
        self.failed_untold += other.failed_untold;
        for (first, end) in other.failed.as_slice() {
            self.failed.insert_run(*first, *end);
        }
    }
}

/// What a consumer instance received of one partition in an interval. Records of others are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedNumbers {
    /// The topic.
    pub topic: TopicId,
    /// The partition.
    pub partition: i32,
    /// Offsets of the records in `streams`.
    pub offsets: Runs,
    /// Records that came at an offset of this interval once more.
    pub redelivered: u64,
    /// Records whose stamp, key or value is not what was sent: which ones they were is not known.
    pub corrupt: u64,
    /// Records that were sent to another partition. They stand in that one's `streams`.
    pub misplaced: u64,
    /// Records that came after one that their instance sent to the partition later.
    pub reordered: u64,
    /// Records by the producer instance that sent them.
    pub streams: Vec<ReceivedStream>,
    /// Records whose offsets are not told, because there would be too many runs.
    pub untold: u64,
}

/// What a consumer instance received of one producer instance and partition in an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedStream {
    /// The producer instance.
    pub instance: InstanceId,
    /// Numbers.
    pub numbers: Runs,
    /// Records whose number was in them already.
    pub again: u64,
    /// Records whose numbers are not told, because there would be too many runs.
    pub untold: u64,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Anomaly {
    /// It stands in the log at two offsets.
    Duplicated,
    /// It came after a record that its instance sent to the partition later.
    Reordered,
    /// Its stamp, key or value is not what was sent.
    Corrupt,
    /// It is in a partition that it was not sent to.
    Misplaced,
}

/// A record with which something is wrong, as a consumer saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What.
    pub anomaly: Anomaly,
    /// Where it was received from.
    pub topic: TopicId,
    /// Where it was received from.
    pub partition: i32,
    /// Where it was received from.
    pub offset: i64,
    /// The producer instance.
    pub instance: InstanceId,
    /// Its number among that instance's records to the partition.
    pub number: u64,
    /// Its number among all of that instance's records.
    pub sequence: u64,
    /// When it was due, in microseconds on the run's clock.
    pub due_us: u64,
    /// When it was received, likewise.
    pub received_us: u64,
}

/// What a consumer instance tells in an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedIntegrity {
    /// By partition.
    pub partitions: Vec<ReceivedNumbers>,
    /// The first records of each kind with which something was wrong.
    pub evidence: Vec<Evidence>,
}
