//! How long names may be.

/// Longest name of a scenario or workload: file names and client ids are made of them.
pub const NAME_LIMIT: usize = 64;

/// Longest topic name that Kafka takes.
pub const TOPIC_NAME_LIMIT: usize = 249;
