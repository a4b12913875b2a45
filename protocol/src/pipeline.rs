//! The pipeline: what a consumer does with health payloads, and what it measured of that.

use crate::{
    health::{HealthSpec, RegistrySpec},
    histogram::Histogram,
    ids::TopicId,
};
use serde::{Deserialize, Serialize};

/// What a consumer does with every record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// How values are decoded.
    pub decode: DecodeSpec,
    /// Whether payloads and samples are validated.
    pub validate: bool,
    /// Whether samples of types that are not known are dropped.
    pub strict: bool,
    /// Whether payloads are flattened into rows.
    pub flatten: bool,
    /// Threads that do it.
    pub parallelism: u32,
    /// Where rejected payloads go; `None` only counts them.
    pub dead_letter: Option<TopicId>,
    /// Where rows go.
    pub rows: RowsSpec,
    /// Payloads from memory instead of topics.
    pub memory: Option<MemorySpec>,
}

/// How values are decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecodeSpec {
    /// From JSON.
    Json,
    /// From Avro without a header.
    Avro,
    /// From Avro in Confluent's wire format.
    Confluent {
        /// The only schema id that is taken; `None` takes any.
        schema_id: Option<u32>,
    },
    /// The same with the id that a schema registry gives; agents ask before the load.
    Registry(RegistrySpec),
    /// Not measured: payloads from memory were decoded before the load.
    Beforehand,
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowsSpec {
    /// Nowhere: they are made and forgotten.
    Nowhere,
    /// To a topic, one record a row, as JSON, with the user's id as key.
    Topic(TopicId),
    /// To Parquet files on the agent's host.
    Files {
        /// The folder, made if it is not there.
        folder: String,
        /// Rows in a file; the last ones may have fewer.
        batch_rows: u32,
    },
}

/// Payloads from memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySpec {
    /// Payloads that are made before the load, and taken in turn, over and over.
    pub payloads: u32,
    /// What they are made of.
    pub health: HealthSpec,
}

/// A pipeline's interval, for the payloads that were due in one phase.
///
/// Invariants: `rejected` sums to no more than `messages`; where rows are made, `rows` plus `dropped`
/// is `samples`; there is a time of the whole for every message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineSlice {
    /// Payloads processed.
    pub messages: u64,
    /// Samples of payloads that were not rejected.
    pub samples: u64,
    /// Rows made.
    pub rows: u64,
    /// Rows that the broker has acknowledged, or that are in files that were closed, whenever they were
    /// made.
    pub rows_written: u64,
    /// Dead letters that the broker has acknowledged.
    pub dead_letters: u64,
    /// Payloads rejected, by reason.
    pub rejected: Vec<(String, u64)>,
    /// Samples dropped, by reason.
    pub dropped: Vec<(String, u64)>,
    /// Time of decoding one payload, in nanoseconds.
    pub decode_ns: Histogram,
    /// Time of validating one payload, in nanoseconds.
    pub validate_ns: Histogram,
    /// Time of flattening one payload, in nanoseconds.
    pub flatten_ns: Histogram,
    /// Time of handing one payload's rows on, in nanoseconds.
    pub write_ns: Histogram,
    /// Time of all of it for one payload, in nanoseconds.
    pub payload_ns: Histogram,
}
