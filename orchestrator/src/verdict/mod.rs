//! The verdict: expectations judged, doubts weighed, one sentence with numbers.
//!
//! The rule: a case is as bad as its worst reason, in the order of [`severity`]: pass, fail, invalid,
//! interrupted, error. `invalid` outweighs `fail`, because a threshold that failed in a measurement that
//! cannot be trusted has not failed. `error` outweighs `interrupted`, because what broke stays broken
//! whether or not somebody then stopped the run. Expectations are judged whatever happened, on what was
//! measured, and shown; a metric without samples is a failed expectation. Warnings never change a
//! verdict.

pub mod across_cases;
mod checks;
mod clock;
mod doubt;
mod expectations;
mod facts;
mod fates;
mod result;
mod severity;
use troubles::troubles;

#[cfg(test)]
mod tests;
mod troubles;

pub use severity::{severity, worst};

pub use checks::{
    BUSY_HOST_INTERVALS, CLOCK_SHARE_OF_LIMIT, LATE_INTERVALS_MIN, LATE_INTERVALS_SHARE,
    RATE_SHARE, SATURATED_LATE_SHARE, SATURATED_SHARE, SLIP_LIMIT_US, SLIP_RECORDS_MIN,
    SLIP_RECORDS_SHARE, SLIP_SHARE_OF_RESPONSE, START_SPREAD_US,
};
pub use doubt::{Doubt, Kind};
pub use facts::{AgentFacts, CaseFacts, Trouble};
pub use result::{Judgement, judge, summary, summary_of};
