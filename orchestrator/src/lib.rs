//! Mallard's controller: scenario → plan → hosts → run → verdict → report.

pub mod across;
pub mod agent_binary;
pub mod archive;
pub mod bounds;
pub mod calibrate;
pub mod clean;
pub mod cli;
pub mod clock;
pub mod deploy;
pub mod diagnosis;
pub mod events;
pub mod exit_code;
pub mod expect;
pub mod hosts;
pub mod link;
pub mod load;
pub mod measure;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod run;
pub mod terminal;
pub mod verdict;
