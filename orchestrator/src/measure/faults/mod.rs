//! Faults, as measuring sees them: which intervals belong to them and to the recovery from them, and what they did.
//!
//! Faults are told as they happen, by their guards; intervals come as agents hand them in. So what an interval belongs
//! to is decided once nothing can change it any more: [`SETTLED_AFTER_US`] after its end, and in a recovery once it is
//! known whether that is over. Until then it waits here, and what it counted waits in the watches.
//!
//! Invariant: intervals are decided in order, each once, and how many wait does not grow with time.

mod book;
mod interval;
mod outcome;
mod recovery;
mod shortfall;
mod unavailable;

pub(super) use book::FaultBook;
pub(super) use interval::{Decided, Interval};
pub use outcome::{FaultTimes, Span};
pub(super) use outcome::{Findings, When};

/// How long after an interval's end its faults are known, in microseconds: a guard reports at once, and a report that
/// has not come by then is of a fault whose guard is gone.
const SETTLED_AFTER_US: u64 = 3_000_000;
