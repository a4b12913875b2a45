//! The stages of a case in their order: a file for one or a few of them, each with its state, how it is entered,
//! what it waits for, and what it does when that does not come.
//!
//! Invariant: a stage imports stages that come later, and none that came before. So a case cannot go back, and
//! the test that finds loops of imports finds a stage that tries.

pub(super) mod agents;
mod brokers;
pub(super) mod collecting;
pub(super) mod containers;
mod deleting;
mod draining;
mod exiting;
mod finishing;
mod joining;
mod load;
mod settling;
mod start;
mod topics;
