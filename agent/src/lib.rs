//! Placeholder.

pub mod engine;
pub(crate) mod librdkafka;
