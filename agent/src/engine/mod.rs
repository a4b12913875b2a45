//! The load engine: producers and consumers that are paced, measured and accounted for.
//!
//! Every instance has a client and two threads of its own, and one more for ending transactions, if it
//! has any. Threads do not talk to each other while the
//! load runs: each cuts its intervals by its own clock reading at boundaries that follow from the
//! timeline, and hands its part to the reporter, which puts intervals together. See [`clock`] for who
//! tells whom what, [`sender`] for pacing, [`reporter`] for the accounts.
//!
//! Architecture invariants:
//! - A thread whose clock reading is at or beyond a boundary hands its part over first and only then
//!   records. A record's report is read from the clock after its sending, so what is acknowledged in an
//!   interval was sent in it or before: accounts add up in every interval, without stopping the load.
//! - Nothing is allocated, locked or hashed for a single record in the steady state.
//! - The poll loop of a consumer waits for nothing but records.

mod clock;
mod commit;
mod control;
mod counts;
mod deliveries;
mod hooks;
mod intake;
mod integrity;
mod keys;
mod maker;
mod membership;
mod notes;
mod numbers;
mod opaque;
mod outlet;
mod pacer;
mod partitioner;
mod parts;
mod payload;
mod positions;
mod producer;
mod properties;
mod random;
mod readiness;
mod receipts;
mod reporter;
mod running;
mod sender;
mod setup;
mod sizes;
mod stats;
mod sys;
mod template;
mod through;
mod topics;
mod transactions;
mod transactor;
mod work;

#[cfg(test)]
mod instruction_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod numbers_tests;
#[cfg(test)]
mod sender_tests;
#[cfg(test)]
mod tests;

pub use crate::librdkafka::{Kind, version as librdkafka_version};
pub use hooks::{Hooks, Observed};
pub use properties::check_properties;
pub use running::Engine;
pub use setup::prepare;
pub use sys::monotonic_us;

pub(crate) use clock::{Cutter, Interval, NEVER, PhaseFinder};
pub(crate) use commit::Committer;
pub(crate) use control::Control;
pub(crate) use counts::phase_id;
pub(crate) use parts::{Part, PolledPart, ProcessedPart};
pub(crate) use receipts::{Item, Receipts};
pub(crate) use topics::{Place, Topics};
