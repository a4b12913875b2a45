//! Describing a cluster, which proves that it can be reached.

use super::{Deadline, client::Admin, native};
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
    let client = admin.inner().inner();
    let brokers = metadata.brokers().iter();
    let brokers: Vec<_> = brokers.map(|b| (b.id(), format!("{}:{}", b.host(), b.port()))).collect();
    // The embedded broker names a controller that does not exist.
    let exists = |id: &i32| brokers.iter().any(|(broker, _)| broker == id);
    Ok(ClusterFacts {
        cluster_id: client.fetch_cluster_id(deadline.remaining()),
        controller: native::controller(client, deadline).filter(exists),
        brokers,
    })
}
