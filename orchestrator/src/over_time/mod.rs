//! Runs over time: is this one worse than that one, and by how much more than chance?
//!
//! Pure functions of archives. [`fingerprint`] says what determined a case's figures; [`compare`] holds two
//! groups of runs against each other: what differs first, then every figure with the interval of its ratio
//! and one of four words ([`judge::Word`]). [`baselines`] are runs with a name; [`trend`] follows
//! a case's figures over all its runs, [`merge`] tells which shards are one run, and [`index`] shows them beside the list of runs.
//!
//! Invariants: figures of one run are never averaged, percentiles come from merged histograms. What is drawn
//! is seeded by the runs' ids, so the same archives give the same bytes.

pub mod against_baseline;
pub mod baselines;
pub mod compare;
pub mod fingerprint;
pub mod history;
pub mod index;
pub mod judge;
pub mod judge_pairs;
pub mod merge;
pub mod observation;
#[cfg(test)]
mod sample;
pub mod statistics;
pub mod trend;
