//! The topics of the bench.

/// Partitions of every topic that is measured.
pub(crate) const PARTITIONS: u32 = 6;
