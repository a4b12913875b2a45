//! Running a plan: case by case, from agents to archive.
//!
//! [`case::Case`] decides; what it wants done is done here, by [`driver`], with links, files and the
//! event stream around it.

mod actions;
mod agent;
mod agent_clocks;
mod answers;
mod assigning;
pub mod case;
pub mod checkpoint;
mod clocks;
pub mod context;
mod cuts;
pub mod drain;
pub mod driver;
mod facts;
mod fault_states;
mod faults;
mod gaps;
mod guards;
mod hearing;
mod intervals;
pub mod io;
mod joined;
mod log_bounds;
mod losing;
mod questions;
pub mod respread;
pub mod resume;
mod shared;
pub mod signals;
#[cfg(test)]
#[path = "../../tests/support/controller.rs"]
mod simulate;
mod stage;
mod stage_id;
mod stages;
mod stopping;
mod tidy;
mod timing;
mod waiting;
mod wake;

#[cfg(test)]
mod tests;
