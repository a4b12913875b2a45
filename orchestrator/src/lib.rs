//! Mallard's controller: scenario → plan → hosts → run → verdict → report.

// The made-up cases of tests/support name this crate as others do.
#[cfg(test)]
extern crate self as mallard;

pub mod archive;
pub mod bounds;
pub mod calibrate;
pub mod clean;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diagnosis;
pub mod expect;
pub mod hosts;
pub mod http;
pub mod measure;
pub mod metrics;
pub mod model;
pub mod over_time;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod run;
pub mod scenario;
pub mod serve;
pub mod sinks;
pub mod terminal;
pub mod text;
pub mod verdict;
