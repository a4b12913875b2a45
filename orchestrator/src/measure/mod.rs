//! From interval reports to figures: merging, auditing, windows, metrics.

pub mod metrics;
pub mod resources;
pub mod slope;
pub mod tally;
pub mod units;
