//! Mallard's controller: scenario → plan → hosts → run → verdict → report.

pub mod archive;
pub mod cli;
pub mod events;
pub mod exit_code;
pub mod expect;
pub mod load;
pub mod measure;
pub mod plan;
