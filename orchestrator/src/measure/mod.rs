//! From interval reports to figures: merging, auditing, windows, metrics.

pub mod metrics;
