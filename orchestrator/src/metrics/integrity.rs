//! What integrity finds about records, by counts that can be added up.

use std::ops::Add;

/// What is known of the records of a partition, or of several, and of who reads them. Of the whole load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrityOutcome {
    /// Records that stand in the log at an offset more.
    pub duplicated: u64,
    /// Records that came to the group from the same offset again.
    pub redelivered: u64,
    /// Records that came after one that their producer instance sent to the partition later.
    pub reordered: u64,
    /// Records whose stamp, key or value is not what was sent.
    pub corrupt: u64,
    /// Records in a partition that they were not sent to.
    pub misplaced: u64,
    /// Records that failed for their producer: the brokers may have written them.
    pub unknown: u64,
    /// Of these, records that came.
    pub unknown_written: u64,
    /// Records about which too much was scattered to be told.
    pub untold: u64,
}

impl Add for IntegrityOutcome {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            duplicated: self.duplicated + other.duplicated,
            redelivered: self.redelivered + other.redelivered,
            reordered: self.reordered + other.reordered,
            corrupt: self.corrupt + other.corrupt,
            misplaced: self.misplaced + other.misplaced,
            unknown: self.unknown + other.unknown,
            unknown_written: self.unknown_written + other.unknown_written,
            untold: self.untold + other.untold,
        }
    }
}
