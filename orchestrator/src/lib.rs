//! Mallard's controller: scenario → plan → hosts → run → verdict → report.

pub mod archive;
pub mod events;
pub mod expect;
pub mod load;
pub mod measure;
pub mod plan;
pub mod report;
