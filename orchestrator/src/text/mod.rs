//! One way to write what people read: figures with units, durations, plurals, names that are near.

pub mod error_chain;
pub mod figures;
pub mod format;
pub mod margin;
pub mod nearest;
pub mod plural;
pub mod table;
pub mod units;
pub mod untrusted;
