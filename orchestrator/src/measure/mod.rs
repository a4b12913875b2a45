//! From interval reports to figures: merging, auditing, windows, metrics.
//!
//! A [`Collector`] is fed with reports and gives back merged intervals; at the end it becomes a
//! [`Measured`], which the verdict is made from. All of it is synchronous and pure.

mod audit;
mod cell;
mod cluster;
mod coarse;
mod collector;
mod conclude;
mod fate;
pub(crate) mod faults;
mod held;
mod integrity;
mod lag;
mod noting;
mod observed;
mod outages;
mod partitions;
mod roster;
#[cfg(test)]
#[path = "../../tests/support/simulate.rs"]
pub mod simulate;
mod spans;
mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod through;
mod waits;
mod watch;
mod windows;

pub use audit::AuditFailure;
pub use cell::MergedInterval;
pub use collector::{Collector, LATE_REPORT_US, WAITING_MAX};
pub use conclude::{AgentMeasured, Measured, Quality};
pub use fate::{OffsetMismatch, Shortfall};
pub use faults::{FaultTimes, Span};
pub use lag::records_end;
pub use observed::GroupSeen;
pub use partitions::POINTS_MAX;
pub use roster::{AgentIndex, Roster};
pub use spans::Spans;
pub use through::ThroughPlan;
pub use watch::{Finding, Judged};
