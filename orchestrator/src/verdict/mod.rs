//! The verdict: expectations judged, doubts weighed, one sentence with numbers.
//!
//! The rule: a case is as bad as its worst reason, in the order of
//! [`Verdict`](crate::model::result::Verdict): pass, fail, invalid, interrupted, error. `invalid`
//! outweighs `fail`, because a threshold that failed in a measurement that cannot be trusted may not be
//! Kafka's failure; it is shown as failed all the same. Expectations are judged whatever happened, on
//! what was measured; a metric without samples is a failed expectation, unless the load was stopped in
//! order before its time came. One cause is one reason: what kept the load from starting hides that
//! nothing was measured. Warnings never change a verdict.

pub mod across_cases;
mod checks;
mod clock;
mod doubt;
mod early_stop;
mod expectations;
mod facts;
mod fates;
mod faults;
mod hosts;
mod result;
mod run_errors;
pub mod whole_run;

#[cfg(test)]
mod tests;

use run_errors::run_errors;

pub use checks::{
    BUSY_HOST_INTERVALS, CLOCK_SHARE_OF_LIMIT, LATE_INTERVALS_MIN, LATE_INTERVALS_SHARE,
    RATE_SHARE, SATURATED_LATE_SHARE, SATURATED_SHARE, SLIP_LIMIT_US, SLIP_RECORDS_MIN,
    SLIP_RECORDS_SHARE, SLIP_SHARE_OF_RESPONSE, START_SPREAD_US,
};
pub use doubt::{Doubt, Kind};
pub use facts::{AgentFacts, CaseFacts, EarlyStop, RunError};
pub use result::{Judgement, judge, summary, summary_of};
