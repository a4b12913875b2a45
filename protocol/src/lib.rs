//! What crosses between `mallard` and `mallard-agent`: types and pure functions, nothing that opens,
//! reads or waits.
//!
//! - [`message`]: the messages, named by direction, and their frames.
//! - [`clients`]: client properties that Mallard sets where nobody else does.
//! - [`agent_command`], [`exit_code`]: how the agent's program is called, where agents have their folders, and how it ends.
//! - [`brokers`], [`preflight`], [`properties`]: what the program is asked outside a conversation, in JSON.
//! - [`workload`]: what an instance is told to do.
//! - [`cluster`]: brokers, leaders and replicas at a moment.
//! - [`counters`]: what instances count beside their records, as a table.
//! - [`fault`]: what a guard is ordered to break, and what it reports.
//! - [`field`]: keys from a field of a value.
//! - [`health`]: health data payloads, by the names that plans use.
//! - [`pipeline`]: decoding, validating and flattening, as a workload and as a measurement.
//! - [`runs`]: sets of numbers that mostly follow each other.
//! - [`schedule`]: when each record is due. Planning and pacing share this one implementation.
//! - [`integrity`]: which records were sent and which came, by their numbers.
//! - [`interval`]: what an agent measured in one interval.
//! - [`histogram`]: the latency histogram, lossless to merge and small to keep.
//! - [`stamp`]: the mark that every record carries from its producer to its consumer.
//! - [`template`]: what a record from a template may take.
//! - [`texts`]: the texts in what an agent says.
//!
//! Units: times on the run's clock are microseconds since the common start (`_us`), sizes are bytes.
//! A number's unit stands last in its name.

pub mod agent_command;
pub mod brokers;
pub mod clients;
pub mod cluster;
pub mod counters;
pub mod exit_code;
pub mod fault;
pub mod field;
pub mod frame;
pub mod health;
pub mod histogram;
pub mod ids;
pub mod integrity;
pub mod interval;
pub mod mark;
pub mod message;
pub mod pipeline;
pub mod preflight;
pub mod private_file;
pub mod properties;
pub mod runs;
pub mod schedule;
pub mod stamp;
pub mod template;
pub mod texts;
pub mod workload;

/// Version of the message set. Raised whenever an old agent could misunderstand a new controller.
pub const PROTOCOL_VERSION: u32 = 1;

/// Identity of this build: the package version and a fingerprint of the protocol's own sources. Two
/// programs with the same build id understand each other's frames to the last bit.
pub const BUILD_ID: &str =
    concat!(env!("CARGO_PKG_VERSION"), "+", env!("MALLARD_PROTOCOL_FINGERPRINT"));

/// A record counts as late when it was sent this long after it was due, in microseconds. Five
/// milliseconds are ten pacing ticks: what an idle machine never exceeds.
pub const LATE_AFTER_US: u64 = 5_000;

/// Length of a measuring interval in microseconds. Intervals are cut on this grid and at every phase
/// boundary, so an interval always lies in one phase and may be shorter than this.
pub const INTERVAL_US: u64 = 1_000_000;
