//! The pipeline: a consumer that decodes, validates and flattens what it receives.
//!
//! The poll loop puts records into a queue, in chunks. Workers, a thread each, take chunks and process them
//! side by side. The finisher takes what is done from the queue in the order in which it was put there:
//! it alone counts, so a partition's position never passes a record that is still in work.
//!
//! Architecture invariant: what a worker does with a payload is [`mallard_health`]'s; here are threads,
//! clients and clocks.

mod chunk_queue;
mod feeder;
mod files;
mod finisher;
mod outcome;
mod outlet;
mod tally;
mod worker;

pub(crate) use chunk_queue::{Chunk, ChunkQueue};
pub(crate) use feeder::Feeder;
pub(crate) use finisher::{Counts, Finisher};
pub(crate) use outlet::Outlet;
pub(crate) use worker::{Worker, pool};
