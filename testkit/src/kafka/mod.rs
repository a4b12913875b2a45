//! A real Apache Kafka for tests, and Apache's own tools as witnesses of what happened in it.
//!
//! [`KafkaCluster`] starts and ends brokers; what it can be asked is in the witness half of it.

pub mod certificates;
mod cluster;
mod node;
mod parse;
pub mod secure;
mod witness;

pub use cluster::{KafkaCluster, shared};
pub use parse::{GroupPartition, PerfResult, TopicDescription, TopicPartition};
pub use witness::{Isolation, PerfRun, Record, TopicContent};
