//! What the machine is, and what is used of it. Linux only, as the agents are.

mod facts;
mod resources;

pub use facts::{facts, librdkafka_version};
pub use resources::ResourceSampler;
