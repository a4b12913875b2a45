//! What the machine is, and what is used of it. Linux only, as the agents are.

mod connections;
mod facts;
pub mod preflight;
mod resources;
mod threads;

pub(crate) use connections::Connections;
pub use facts::{facts, librdkafka_version};
pub use resources::ResourceSampler;
