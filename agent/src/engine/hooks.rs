//! What an engine tells, and whom.

use mallard_protocol::{
    cluster::ClusterSample,
    interval::{GroupSample, PartitionOffset, Resources},
};

/// What the engine asks of its surroundings.
pub struct Hooks {
    /// What the process and the host used since the last call. Called at every interval's end.
    pub sample_resources: Box<dyn FnMut() -> Resources + Send>,
    /// What this agent observes on the brokers. May block; intervals wait for it a moment.
    pub observe: Option<Box<dyn FnMut() -> Observed + Send>>,
    /// Whether the engine is still wanted. Looked at while it is being made, which may take long.
    pub is_wanted: Box<dyn Fn() -> bool + Send>,
}

/// What an agent sees on the brokers at an interval's end.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// End offsets of the topics that it observes.
    pub end_offsets: Vec<PartitionOffset>,
    /// Groups that are not the case's own.
    pub groups: Vec<GroupSample>,
    /// Brokers, leaders and replicas.
    pub cluster: Option<ClusterSample>,
}
