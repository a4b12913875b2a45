//! One way to write what people read: figures with units, durations, names that are near.

pub mod format;
pub mod nearest;
pub mod units;
