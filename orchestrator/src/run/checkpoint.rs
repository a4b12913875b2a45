//! What a controller that takes over has to know.

use super::clocks::Offset;
use crate::plan::handover::Handover;
use jiff::Timestamp;
use mallard_protocol::{
    interval::PartitionOffset,
    message::{ClusterFacts, HostFacts},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a controller that takes over has to know: written when the common start is settled, before any
/// agent is told. No secrets: what connects to Kafka is planned again, from files and environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When the case began, RFC 3339.
    pub started_at: String,
    /// Wall time of the common start, RFC 3339.
    pub load_started_at: Timestamp,
    /// The common start on the monotonic clock of the controller's machine, in microseconds.
    pub start_clock_us: u64,
    /// How long that machine had slept then, in microseconds, since it booted.
    pub slept_us: Option<i64>,
    /// That machine's boot: after another one its monotonic clock says nothing.
    pub boot_id: String,
    /// Where brokers that the run itself started listen, for each agent: an embedded one, or those in
    /// containers. Empty for a cluster that is there.
    pub own_brokers: Vec<String>,
    /// The cluster, as its brokers described it.
    pub cluster: ClusterFacts,
    /// Partitions of every topic, in the plan's order.
    pub partitions: Vec<i32>,
    /// Whether each of them is compacted.
    #[serde(default)]
    pub compacted: Vec<bool>,
    /// End offsets before the load.
    pub start_offsets: Vec<PartitionOffset>,
    /// How far agents' clocks are ahead, by what they share.
    pub clocks: BTreeMap<String, Offset>,
    /// Where each agent runs, in the plan's order.
    pub agents: Vec<Option<HostFacts>>,
    /// What became of the load of agents that were lost.
    #[serde(default)]
    pub handovers: Vec<Handover>,
}
