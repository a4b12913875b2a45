//! Describing a cluster, which proves that it can be reached.

use super::{Deadline, client::Admin};
use mallard_protocol::{
    message::{AgentFailure, ClusterFacts},
    workload::ClientProperties,
};

/// Describes the cluster.
///
/// # Errors
/// `Unreachable` with every broker's reason, `Denied`, or `Property`.
pub fn describe_cluster(
    connection: &ClientProperties,
    deadline: &Deadline,
) -> Result<ClusterFacts, AgentFailure> {
    let admin = Admin::new(connection)?;
    let metadata = admin.metadata(deadline)?;
    let brokers = metadata.brokers().iter();
    let brokers = brokers.map(|b| (b.id(), format!("{}:{}", b.host(), b.port()))).collect();
    Ok(ClusterFacts { brokers })
}
