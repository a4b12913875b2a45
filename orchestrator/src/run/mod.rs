//! Running a plan: case by case, from agents to archive.
//!
//! [`case::Case`] decides; what it wants done is done here, by [`driver`], with links, files and the
//! event stream around it.

pub mod case;
pub mod checkpoint;
mod clocks;
mod cuts;
pub mod drain;
pub mod driver;
mod ending;
mod gaps;
pub mod io;
mod joining;
mod load;
pub mod respread;
pub mod resume;
mod settling;
mod setup;
pub mod signals;
pub mod simulate;
mod tidy;
mod waiting;
mod wake;

#[cfg(test)]
mod tests;
