//! What others rely on: results as they stand in the archive, events as they go by, exit codes.

pub mod events;
pub mod exit_code;
pub mod fault;
pub mod figures;
pub mod fingerprint;
pub mod kind;
pub mod outage;
pub mod result;
pub mod shard;
pub mod sink;
