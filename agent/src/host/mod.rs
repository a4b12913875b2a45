//! What the machine is, and what is used of it. Linux only, as the agents are.

mod facts;
pub mod preflight;
mod resources;
mod threads;

pub use facts::{facts, librdkafka_version};
pub use resources::ResourceSampler;
