//! Health data: payloads as a fleet of wearables sends them, and what a consumer makes of them.
//!
//! - [`generator`]: users with habits and devices, and payloads of their samples. The same seed gives
//!   the same bytes on every machine, and every payload can be made by itself: it depends on the seed,
//!   the producer and its sequence number and on nothing that came before.
//! - [`encode`]: JSON, Avro, and Avro in Confluent's wire format; [`headers`] of the records that carry them.
//! - [`decode`], [`validate`], [`flatten`]: the three steps of a consumer, each by itself so that each
//!   can be measured by itself.
//!
//! Architecture invariant: nothing here opens, reads or waits, and nothing depends on the machine: no
//! clock, no locale, and no floating-point function of which platforms have their own idea.

pub mod data_type;
pub mod decode;
pub mod defect;
pub mod encode;
pub mod flatten;
pub mod generator;
pub mod headers;
#[cfg(feature = "parquet")]
pub mod parquet;
mod payload;
mod person;
mod random;
mod text;
pub mod validate;

pub use data_type::DataType;
pub use defect::{Defect, InvalidShares};
pub use encode::Encoding;
pub use generator::{Config, ConfigError, Due, HealthDataLoadGenerator, generate_test_data};
pub use payload::{Payload, Sample};
