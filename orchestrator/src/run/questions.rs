//! What agents are asked, and what that is for.

use crate::plan::AgentIndex;

/// What a question was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Broker,
    Cluster(AgentIndex),
    CreateTopics,
    DescribeTopics,
    StartOffsets,
    EndOffsets,
    LastOffsets,
    /// Topics.
    Delete,
    /// Consumer groups.
    DeleteGroups,
    /// An agent's clock.
    Clock(AgentIndex),
}
