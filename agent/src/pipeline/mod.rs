//! The pipeline: a consumer that decodes, validates and flattens what it receives.
//!
//! The poll loop puts records on a belt, in chunks. Hands, a thread each, take chunks and process them
//! side by side. The finisher takes what is done off the belt in the order in which it was put there:
//! it alone counts, so a partition's position never passes a record that is still in work.
//!
//! Architecture invariant: what a hand does with a payload is [`mallard_health`]'s; here are threads,
//! clients and clocks.

mod belt;
mod feeder;
mod files;
mod finisher;
mod hand;
mod outcome;
mod outlet;
mod tally;

pub(crate) use belt::{Belt, Chunk};
pub(crate) use feeder::Feeder;
pub(crate) use finisher::{Counts, Finisher};
pub(crate) use hand::{Hand, pool};
pub(crate) use outlet::Outlet;
