//! Running a plan: case by case, from agents to archive.
//!
//! [`case::Case`] decides; what it wants done is done here, by [`driver`], with links, files and the
//! event stream around it.

mod agent;
mod agent_clocks;
mod answers;
pub mod case;
pub mod checkpoint;
mod clocks;
pub mod context;
mod cuts;
pub mod drain;
pub mod driver;
mod ending;
mod facts;
mod gaps;
mod hearing;
mod intervals;
pub mod io;
mod joining;
mod load;
mod losing;
mod questions;
pub mod respread;
pub mod resume;
mod settling;
mod setup;
pub mod signals;
pub mod simulate;
mod stage_id;
mod stopping;
mod tidy;
mod waiting;
mod wake;

#[cfg(test)]
mod tests;
